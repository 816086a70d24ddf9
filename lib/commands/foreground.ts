// A command that stays until it is told to stop: what it says goes to the terminal, signals stop it, nothing stops it half way.
import { jsonReport, type Report, textReport } from '../session/report.ts'
import { debugTo } from './debug.ts'
import { reportToParent } from './detach.ts'
import type { GlobalFlags } from './global.ts'

/** The image of a shadow pod when none is named. */
export const DEFAULT_IMAGE = 'node:24-alpine'
/** What a closed terminal, Ctrl-C, `kill` and a service manager send. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** Run `session` until it ends by itself or by a signal. The exit code, or the error that ended it. */
export async function inForeground(
  { debug, output }: GlobalFlags,
  session: (report: Report, stop: AbortController) => Promise<void>
): Promise<number> {
  if (debug) debugTo(process.stderr)
  const report: Report =
    reportToParent() ?? (output === 'json' ? jsonReport(process.stdout) : textReport(process.stdout))
  const stop = new AbortController()
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (!stop.signal.aborted) report({ event: 'stopping', why: signal })
      stop.abort(signal)
    })
  }
  // A closed terminal also closes our output: saying less is better than stopping half way through.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  await session(report, stop)
  report({ event: 'stopped' })
  return 0
}
