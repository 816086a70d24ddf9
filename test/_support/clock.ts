// Time that passes when the test says so.
import type { Clock } from '../../lib/stack/clock.ts'

export class VirtualClock implements Clock {
  #now = 1000
  #timers: { at: number; f: () => void }[] = []

  now(): number {
    return this.#now
  }

  at(atMs: number, f: () => void): () => void {
    const timer = { at: atMs, f }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.length
  }

  /** Let `ms` pass; each timer fires at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.reduce<{ at: number; f: () => void } | undefined>(
        (first, timer) => (timer.at <= end && (first === undefined || timer.at < first.at) ? timer : first),
        undefined
      )
      if (next === undefined) break
      this.#timers = this.#timers.filter(other => other !== next)
      this.#now = Math.max(this.#now, next.at)
      next.f()
    }
    this.#now = end
  }
}
