// UDP has no end of a conversation, so silence is one: flows in the order of their last use, bounded in number.
import type { Flow } from './flow.ts'

/** RFC 4787 §4.3 asks a NAT for two minutes at least; nobody behind us depends on an idle mapping that long but QUIC. */
export const IDLE_MS = 120_000
/** Flows at once. Each DNS question is one, so this is 30 unanswered questions a second, and a few MB. */
export const MAX_FLOWS = 4096

/** Pure: time comes in as an argument. Every operation takes constant time. */
export class Flows<F extends Flow> {
  #oldest: Flow | undefined
  #newest: Flow | undefined
  size = 0

  /** Begin a flow. The flow that had to give way, if there were too many: the caller ends it. */
  add(flow: F, now: number): F | undefined {
    const evicted = this.size >= MAX_FLOWS ? this.#oldest : undefined
    if (evicted !== undefined) this.remove(evicted as F)
    this.size++
    this.#append(flow, now)
    return evicted as F | undefined
  }

  /** A datagram went through: the flow is the newest again. */
  touch(flow: F, now: number): void {
    if (flow === this.#newest) {
      flow.lastUse = now
      return
    }
    this.#unlink(flow)
    this.#append(flow, now)
  }

  /** Forget a flow that is in here. */
  remove(flow: F): void {
    this.#unlink(flow)
    this.size--
  }

  /** When `expired` next has something to say; Infinity if never. */
  get deadline(): number {
    return this.#oldest === undefined ? Infinity : this.#oldest.lastUse + IDLE_MS
  }

  /** Remove and return a flow whose time is up; undefined when there is none (any more). */
  expired(now: number): F | undefined {
    const oldest = this.#oldest
    if (oldest === undefined || now < oldest.lastUse + IDLE_MS) return undefined
    this.remove(oldest as F)
    return oldest as F
  }

  #append(flow: Flow, now: number): void {
    flow.lastUse = now
    flow.older = this.#newest
    if (this.#newest === undefined) this.#oldest = flow
    else this.#newest.newer = flow
    this.#newest = flow
  }

  #unlink(flow: Flow): void {
    if (flow.older === undefined) this.#oldest = flow.newer
    else flow.older.newer = flow.newer
    if (flow.newer === undefined) this.#newest = flow.older
    else flow.newer.older = flow.older
    flow.older = undefined
    flow.newer = undefined
  }
}
