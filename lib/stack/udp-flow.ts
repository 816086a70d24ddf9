// A UDP conversation: datagrams between one port of the laptop and one of the cluster.
import { Flow } from '../udp/flow.ts'
import type { Path } from './path.ts'
import type { TableEntry } from './table.ts'

export interface UdpFlowActions {
  send(flow: UdpFlow, bytes: Uint8Array): boolean
  unreachable(flow: UdpFlow): void
  close(flow: UdpFlow): void
}

/** Ends with `close`, or by itself: when nothing was sent either way for a while, or as the oldest of too many. */
export class UdpFlow extends Flow implements TableEntry<UdpFlow> {
  readonly path: Path
  readonly #actions: UdpFlowActions
  /** The table's. */
  next: UdpFlow | undefined = undefined
  /** Takes each datagram; the bytes are the callee's to keep. Without it they are dropped: set it in `onFlow`. */
  onDatagram: ((bytes: Uint8Array) => void) | undefined = undefined
  /** The flow has ended without a call of `close`. */
  onClose: (() => void) | undefined = undefined
  /** Of datagrams, without headers: those of the laptop, and those that were sent to it. */
  bytesIn = 0
  bytesOut = 0

  constructor(path: Path, actions: UdpFlowActions) {
    super()
    this.path = path
    this.#actions = actions
  }

  get source(): string {
    return this.path.source
  }
  get sourcePort(): number {
    return this.path.sourcePort
  }
  get destination(): string {
    return this.path.destination
  }
  get destinationPort(): number {
    return this.path.destinationPort
  }

  /** Send a datagram to the laptop, copied. False if the flow has ended or the datagram is longer than UDP allows. */
  send(bytes: Uint8Array): boolean {
    return this.#actions.send(this, bytes)
  }

  /** Tell the laptop that nobody listens: ICMP "port unreachable", which a connected socket gets as ECONNREFUSED. */
  unreachable(): void {
    this.#actions.unreachable(this)
  }

  /** End the flow; `onClose` is not called. A further datagram of the laptop begins a new one. */
  close(): void {
    this.#actions.close(this)
  }
}
