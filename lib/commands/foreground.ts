// A command that stays until it is told to stop: what it says goes to the terminal, signals stop it, nothing stops it half way.
import type { Report } from '../session/report.ts'
import { type Child, signalled } from './child.ts'
import { debugTo } from './debug.ts'
import { reportToParent } from './detach.ts'
import type { GlobalFlags } from './global.ts'
import { reportTo } from './output.ts'

export { DEFAULT_IMAGE } from '../session/link/reach-agent.ts'

/** What a closed terminal, Ctrl-C, `kill` and a service manager send. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** Exit code of a program that `kt down` has ended, or kept from beginning. */
const NOT_BEGUN = 1

/**
 * Run `session` until it ends by itself or by a signal. The exit code, or the error that ended it. With a `child`, that is started when
 * the session is ready, gets the signals while it runs, and its end is the end: standard output is then its own. `out` is where the report goes.
 */
export async function inForeground(
  { debug, output, quiet }: GlobalFlags,
  session: (report: Report, stop: AbortController) => Promise<void>,
  child?: Child,
  out = child === undefined ? process.stdout : process.stderr
): Promise<number> {
  if (debug) debugTo(process.stderr)
  const say = reportToParent() ?? reportTo(output, quiet, out)
  const stop = new AbortController()
  // A program that was never begun has not succeeded.
  let exitCode: number | undefined = child === undefined ? 0 : undefined
  const report: Report = event => {
    say(event)
    if (event.event !== 'ready') return
    child?.start((code, why) => {
      exitCode = code
      stop.abort(why)
    })
  }
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (child?.runs) return child.pass(signal)
      exitCode ??= signalled(signal)
      if (!stop.signal.aborted) report({ event: 'stopping', why: signal })
      stop.abort(signal)
    })
  }
  // A closed terminal also closes our output: saying less is better than stopping half way through.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  await session(report, stop)
  report({ event: 'stopped' })
  return exitCode ?? NOT_BEGUN
}
