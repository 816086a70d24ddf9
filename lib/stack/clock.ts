// The only door to time for the packet path: everything below the stack gets the time as an argument.

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number
  /** Call `f` once, at or soon after `atMs` on the scale of `now`; the result cancels it. */
  at(atMs: number, f: () => void): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  at(atMs, f) {
    const timer = setTimeout(f, Math.max(0, Math.ceil(atMs - performance.now())))
    return () => clearTimeout(timer)
  }
}
