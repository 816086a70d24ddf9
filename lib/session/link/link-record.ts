// What is known about the line to the agent: how it is now, and what became of its carriers.
import { carrierTrace } from '../../trace.ts'

/** Changes that are remembered. */
const HISTORY_MAX = 50

export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'closed'

/** What became of a carrier. Field names are stable: the control socket tells them. */
export interface CarrierEvent {
  /** Milliseconds since the epoch. */
  at: number
  /** `resumed`: open connections went on. `renewed`: the same, before the last carrier was lost. `restarted`: they were reset. */
  event: 'connected' | 'lost' | 'failed' | 'resumed' | 'renewed' | 'restarted'
  detail: string
}

export class LinkRecord {
  readonly #onState: (state: LinkState, detail: string) => void
  state: LinkState = 'connecting'
  /** When `state` began, milliseconds since the epoch. */
  since: number = Date.now()
  /** Why `state` is what it is; while there is no connection, the last failure. */
  detail = ''
  /** The last HISTORY_MAX changes, oldest first. */
  readonly history: CarrierEvent[] = []

  /** `onState`: the connection was lost, or cannot be had, or is there again. */
  constructor(onState: (state: LinkState, detail: string) => void) {
    this.#onState = onState
  }

  note(event: CarrierEvent['event'], detail: string): void {
    if (carrierTrace.hasSubscribers) carrierTrace.publish({ event, detail })
    this.history.push({ at: Date.now(), event, detail })
    if (this.history.length > HISTORY_MAX) this.history.shift()
  }

  enter(state: LinkState, detail: string): void {
    if (this.state === state || this.state === 'closed') return
    const again = this.state === 'reconnecting'
    this.state = state
    this.detail = detail
    this.since = Date.now()
    if (state === 'reconnecting' || again) this.#onState(state, detail)
  }

  /** An attempt has failed; `tell` the user unless he knows. */
  failed(detail: string, tell: boolean): void {
    this.note('failed', detail)
    if (this.state !== 'reconnecting') return
    this.detail = detail
    if (tell) this.#onState(this.state, detail)
  }
}
