// What a running kt says of itself, several times a second, and whether that was the truth.
import { setTimeout as delay } from 'node:timers/promises'
import { askControl } from '../../lib/session/control.ts'
import type { SessionStatus } from '../../lib/session/status.ts'
import type { Progress } from './load.ts'

const ASK_MS = 200
/** A silent way is noticed within this, ms, and what a busy machine adds. */
export const NOTICED_MS = 15_000
const SLACK_MS = 2_000
/** How long the state may lag behind connections that already go on, ms. */
const LAG_MS = 1_500

export type State = SessionStatus['state'] | 'unresponsive'

interface Sample {
  at: number
  state: State
  detail: string
}

export class StatusWatch {
  readonly #socket: string
  readonly #progress: () => Progress
  readonly samples: Sample[] = []
  /** The last answer. */
  status: SessionStatus | undefined
  /** What it said that was not so. */
  readonly lies = new Set<string>()
  #running = true
  readonly #ended: Promise<void>

  /** `socket`: the control socket that `kt status` asks, too. */
  constructor(socket: string, progress: () => Progress) {
    this.#socket = socket
    this.#progress = progress
    this.#ended = this.#watch()
  }

  get state(): State {
    return this.samples.at(-1)?.state ?? 'unresponsive'
  }

  /** Milliseconds from `fromMs` to the first sample that is not `connected`; undefined: there is none. */
  noticed(fromMs: number): number | undefined {
    const first = this.samples.find(({ at, state }) => at >= fromMs && state !== 'connected')
    return first === undefined ? undefined : first.at - fromMs
  }

  /** What it said from `fromMs` on, each state once, with the first reason. */
  said(fromMs: number): string {
    const told = this.samples.filter(({ at }) => at >= fromMs)
    const changes = told.filter(({ state }, i) => state !== told[i - 1]?.state)
    const texts = changes.map(({ state, detail }) =>
      state === 'connected' || detail === '' ? state : `${state} (${detail})`
    )
    if (texts.length <= 4) return texts.join(', ')
    return `${texts.slice(0, 2).join(', ')} … ${texts.at(-1)}, ${texts.length} changes`
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#ended
  }

  async #watch(): Promise<void> {
    while (this.#running) {
      const answer = await askControl(this.#socket, 'GET', '/status').catch(() => undefined)
      const at = Date.now()
      if (answer === undefined) this.samples.push({ at, state: 'unresponsive', detail: '' })
      else this.#judge(at, answer as SessionStatus)
      await delay(ASK_MS)
    }
  }

  #judge(at: number, status: SessionStatus): void {
    const { state, stateSince, detail } = status
    this.status = status
    this.samples.push({ at, state, detail })
    const { echoedAt } = this.#progress()
    if (echoedAt === 0) return
    const silentMs = at - echoedAt
    // A stopped process could not have noticed: its silence counts from when it went on.
    const awakeMs = at - (this.samples.findLast(s => s.state === 'unresponsive')?.at ?? 0)
    // What has just become possible again is told by the load a little later.
    const settled = at - stateSince > SLACK_MS
    if (state === 'connected' && settled && Math.min(silentMs, awakeMs) > NOTICED_MS + SLACK_MS)
      this.lies.add('connected, and no line came back')
    if (state === 'reconnecting' && echoedAt > stateSince + LAG_MS) this.lies.add('reconnecting, and lines came back')
  }
}
