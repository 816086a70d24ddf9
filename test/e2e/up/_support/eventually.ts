// Waiting for something that becomes true a little later.
import { setTimeout as delay } from 'node:timers/promises'

const PAUSE_MS = 100

/** Ask again and again until the answer is `wanted` or the time is over; the last answer. */
export async function eventually<T>(wanted: T, limitMs: number, ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer === wanted || performance.now() > until) return answer
    await delay(PAUSE_MS)
  }
}
