// What a session gives its dashboard to show, and to do.
import type { FlowFacts } from '../stack/facts.ts'
import type { Identity, LogLine, ServiceRow, StatusView, WorkRow, WorkWish } from './model.ts'

export interface Shown {
  readonly identity: Identity
  /** What was said so far, oldest first, bounded by whoever keeps it. */
  readonly log: readonly LogLine[]
  status(): StatusView
  /** Conversations at this moment; none without a TUN. */
  flows(): FlowFacts[]
  /** Told of each conversation that is over, until called with undefined. */
  onFlowEnded(listener: ((flow: FlowFacts) => void) | undefined): void
  /** Full name of the service of an address. */
  nameOf(address: string): string | undefined
  /** Services of the namespace and who holds them. Rejects with what the API server says. */
  services(): Promise<ServiceRow[]>
  works(): WorkRow[]
  /** Begin an exchange, preview or mesh; resolves when it works. Rejects with a KtError. */
  begin(wish: WorkWish): Promise<WorkRow>
  /** End what `begin` has begun; resolves when everything is put back, false: there is no such thing. */
  giveBack(id: string): Promise<boolean>
  /** Who answers a name and why; undefined when it cannot be asked for. */
  explain(name: string, type: string): Promise<unknown>
}
