// kt as a user types it: through a pipe, or at a terminal of its own (util-linux `script`). Nothing here has a cluster.
import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const KT = join(import.meta.dirname, '../../bin/kt.ts')

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

export interface Typing {
  /** Instead of what the test itself has; undefined removes one. */
  env?: Record<string, string | undefined>
  cwd?: string
}

/** A state directory of its own, below which nothing is known yet. */
export function home(): string {
  return mkdtempSync(join(tmpdir(), 'kt-cli-'))
}

/** No cluster, no colours asked for, no settings of whoever runs the test. */
function environment({ env = {} }: Typing): NodeJS.ProcessEnv {
  const { NO_COLOR: _no, FORCE_COLOR: _force, CI: _ci, ...rest } = process.env
  const all = { ...rest, TERM: 'xterm-256color', KUBECONFIG: '/nonexistent/kubeconfig', KT_HOME: HOME, ...env }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

const HOME = home()

/** Through a pipe. */
export function kt(args: readonly string[], typing: Typing = {}): Promise<Ended> {
  return run(process.execPath, [KT, ...args], typing)
}

/** At a terminal: everything it shows is in `stdout`, lines end in \r\n. */
export function ktAtTerminal(args: readonly string[], typing: Typing = {}): Promise<Ended> {
  const words = [process.execPath, KT, ...args].map(word => `'${word.replaceAll("'", "'\\''")}'`)
  return run('script', ['-qec', words.join(' '), '/dev/null'], typing)
}

function run(program: string, args: readonly string[], typing: Typing): Promise<Ended> {
  return new Promise(resolve => {
    const options = { env: environment(typing), cwd: typing.cwd ?? tmpdir(), encoding: 'utf8' as const }
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr })
    })
    child.stdin?.end()
  })
}
