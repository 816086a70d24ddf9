// What follows changes that come in bursts.
import type { Report } from '../report.ts'

/** `f` once at a time; calls meanwhile are one call afterwards. What fails is said. */
export function latestOnly(f: () => Promise<void>, report: Report): () => void {
  let running: boolean = false
  let again: boolean = false
  const run = async (): Promise<void> => {
    running = true
    do {
      again = false
      await f().catch((error: Error) => report({ event: 'warning', text: `DNS is not up to date: ${error.message}` }))
    } while (again)
    running = false
  }
  return () => {
    if (running) again = true
    else void run()
  }
}
