// What a long command prints: one line for each step, with the time since its start.
import { performance } from 'node:perf_hooks'

/** Prints finished steps; `say` may be called from steps that run side by side. */
export class Steps {
  readonly #start = performance.now()

  say(text: string): void {
    process.stdout.write(`${this.seconds.toFixed(1).padStart(6)} s  ${text}\n`)
  }

  /** Seconds since the command began. */
  get seconds(): number {
    return (performance.now() - this.#start) / 1000
  }
}

/** Call `ready` until it says true; throws with `what` after `timeoutMs`. For what cannot be watched (sockets, cgroups). */
export async function until(what: string, timeoutMs: number, ready: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await ready())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs / 1000} s`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
