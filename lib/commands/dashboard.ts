// `kt dashboard`: has the running kt serve its page, and says where.
import { spawn } from 'node:child_process'
import { Argument, Command, InvalidArgumentError } from 'commander'
import { KtError } from '../errors.ts'
import { askControl } from '../session/control.ts'
import { type SessionState, sessions } from '../session/registry.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'

interface DashboardFlags extends GlobalFlags {
  port: number
  open?: boolean
  pid?: number
}

/** In a checkout the page is bundled first, ms. */
const ANSWER_MS = 60_000

/** `DashboardAddress` of the session. */
interface Served {
  url: string
  metrics: string
  api: string
  token: string
}

export function dashboardCommand(): Command {
  return new Command('dashboard')
    .description('a page with what goes through kt, served by the kt that runs: connections, names, services, requests')
    .addArgument(new Argument('[word]', "kt-connect's: taken, and without effect").choices(['init', 'open']))
    .option('-p, --port <number>', 'where it is served on 127.0.0.1 (default: any free port)', port, 0)
    .option('--open', 'open it in the browser')
    .option('--pid <process>', 'of several that run (default: kt up, else the first)', processId)
    .addHelpText(
      'after',
      `
The link opens the page once, within five minutes; a further kt dashboard prints another.
Examples:
  kt dashboard --open
  kt dashboard --port 8080
  kt dashboard --output json | jq -r .metrics             with .token as bearer token, for Prometheus`
    )
    .action(async (_word: unknown, _: unknown, command: Command) => {
      const { output, port: wanted, open, pid } = command.optsWithGlobals<DashboardFlags>()
      const session = chosen(pid)
      const query = new URLSearchParams({ port: String(wanted) })
      const served = (await askControl(session.socket, 'POST', `/dashboard?${query}`, ANSWER_MS)) as Served & {
        error?: string
      }
      if (served.error !== undefined)
        throw new KtError('KT_USAGE', served.error, { hint: 'without --port any free one is taken' })
      print(output, { pid: session.pid, command: session.command, ...served }, `${served.url}\n`)
      if (open) openInBrowser(served.url)
    })
}

function chosen(pid: number | undefined): SessionState {
  const all = sessions()
  const found =
    pid === undefined
      ? (all.find(({ command }) => command.startsWith('up')) ?? all[0])
      : all.find(each => each.pid === pid)
  if (found !== undefined) return found
  const message = pid === undefined ? 'kt is not running here' : `no kt runs as process ${pid}`
  throw new KtError('KT_NOT_RUNNING', message, { hint: 'try: sudo kt up; kt status lists what runs' })
}

/** What opens a link; xdg-open elsewhere. */
const OPENERS: Partial<Record<NodeJS.Platform, string>> = { darwin: 'open', win32: 'explorer.exe' }

/** Whoever has no browser has the link. */
function openInBrowser(url: string): void {
  const program = OPENERS[process.platform] ?? 'xdg-open'
  const opener = spawn(program, [url], { stdio: 'ignore', detached: true })
  opener.on('error', () => process.stderr.write(`! there is no ${program} here: open the link yourself\n`))
  opener.unref()
}

function port(value: string): number {
  const number = /^\d{1,5}$/.test(value) ? Number(value) : 65_536
  if (number > 65_535) throw new InvalidArgumentError('a port is expected')
  return number
}

function processId(value: string): number {
  if (!/^\d{1,10}$/.test(value)) throw new InvalidArgumentError('the number of a process is expected')
  return Number(value)
}
