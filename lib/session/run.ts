// The frame of every command that stays: start, wait for the end, undo everything.
import { EventLog } from './event-log.ts'
import { Lifecycle } from './lifecycle.ts'
import type { Report } from './report.ts'

/** What the steps of a session share. */
export interface Running {
  readonly report: Report
  readonly stop: AbortController
  readonly life: Lifecycle
  /** What was said so far, for who can be asked for it. */
  readonly log?: EventLog
}

/**
 * `start` resolves when everything works, with a promise that rejects when it is lost. Then stay until `stop` is aborted or
 * it is lost, and undo. Rejects with the error that ended it; whatever had been changed until then is undone first.
 */
export async function runSession(
  say: Report,
  stop: AbortController,
  start: (running: Running) => Promise<{ lost: Promise<Error> }>
): Promise<void> {
  const life = new Lifecycle()
  const log = new EventLog()
  const report = log.tap(say)
  try {
    const { lost } = await start({ report, stop, life, log })
    await Promise.race([lost.then(error => Promise.reject(error)), aborted(stop.signal)])
  } catch (error) {
    if (!stop.signal.aborted) throw error // what a stop that was asked for interrupts is no failure
  } finally {
    stop.abort()
    await life.stop(({ what, ms, error }) => {
      if (error === undefined) report({ event: 'restored', what, ms })
      else report({ event: 'warning', text: `${what}: ${error instanceof Error ? error.message : String(error)}` })
    })
  }
}

/** One step of a start, said with the time it took. */
export async function step<T>(
  { report, stop }: Pick<Running, 'report' | 'stop'>,
  what: string,
  f: () => T | Promise<T>
): Promise<T> {
  stop.signal.throwIfAborted()
  const from = performance.now()
  const result = await f()
  report({ event: 'step', step: what, ms: performance.now() - from })
  return result
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
