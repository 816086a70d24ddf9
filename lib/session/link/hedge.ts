// One of several attempts at the same thing: a stalled one is not waited for, and not given up either.

export interface HedgeOptions<T> {
  /** Another attempt begins after this, ms, while none has succeeded. */
  everyMs: number
  /** At a time. */
  most: number
  signal: AbortSignal
  /** What an attempt brings after another one has won. */
  discard(late: T): void
}

/** Resolves with the first success; the other attempts are aborted. Rejects when all that have begun have failed, with the last error. */
export function hedged<T>(attempt: (signal: AbortSignal) => Promise<T>, options: HedgeOptions<T>): Promise<T> {
  const { everyMs, most, signal, discard } = options
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  return new Promise((resolve, reject) => {
    let pending = 0
    const begin = (): void => {
      pending += 1
      attempt(either).then(
        value => {
          if (over.signal.aborted) discard(value)
          else settle(() => resolve(value))
        },
        (error: unknown) => {
          pending -= 1
          if (pending === 0 && !over.signal.aborted) settle(() => reject(error))
        }
      )
    }
    const timer = setInterval(() => {
      if (pending < most) begin()
    }, everyMs)
    const settle = (result: () => void): void => {
      clearInterval(timer)
      over.abort()
      result()
    }
    begin()
  })
}
