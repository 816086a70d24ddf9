// A SYN that was not answered yet: the far side is being asked first.
import type { Connection } from './connection.ts'
import type { Path } from './path.ts'

/** What the stack does when the owner of a pending connection has decided. */
export interface PendingActions {
  accept(): Connection
  refuse(): void
  unreachable(): void
  drop(): void
}

/**
 * Someone on the laptop connects. Exactly one of `accept`, `refuse`, `unreachable` and `drop` decides; after that, and after
 * `onGone`, the others do nothing. Retransmitted SYNs are absorbed meanwhile.
 */
export class PendingConnection {
  readonly #path: Path
  readonly #actions: PendingActions
  /** The laptop gave up, nobody decided in time, or the stack closes. Not called after a decision. */
  onGone: (() => void) | undefined = undefined

  constructor(path: Path, actions: PendingActions) {
    this.#path = path
    this.#actions = actions
  }

  get source(): string {
    return this.#path.source
  }
  get sourcePort(): number {
    return this.#path.sourcePort
  }
  get destination(): string {
    return this.#path.destination
  }
  get destinationPort(): number {
    return this.#path.destinationPort
  }

  /** Answer with SYN|ACK. If the laptop is gone already, the connection comes back destroyed. */
  accept(): Connection {
    return this.#actions.accept()
  }

  /** Answer with RST: "connection refused". */
  refuse(): void {
    this.#actions.refuse()
  }

  /** Answer with ICMP "host unreachable": "no route to host". */
  unreachable(): void {
    this.#actions.unreachable()
  }

  /** Do not answer: the laptop's SYN times out. If it comes once more, it is a new pending connection. */
  drop(): void {
    this.#actions.drop()
  }
}
