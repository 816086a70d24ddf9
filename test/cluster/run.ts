// The one place where programs of this machine are started.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Where the machine's own programs are: a folder of node_modules in the user's PATH may hold another `nft`. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** All optional. */
export interface RunOptions {
  /** Written to the program's standard input. */
  input?: string
  /** Default: our own with {@link SYSTEM_PATH}. */
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Ended with SIGKILL after this many milliseconds; default ten minutes. */
  timeoutMs?: number
  /** Called with each line of standard output and standard error as it comes. */
  onLine?: (line: string) => void
}

/** A program that ended with another code than 0; `message` ends with what it said last. */
export class RunError extends Error {
  override readonly name = 'RunError'
}

/** Longer than any step of a test cluster takes on a busy machine; Go builds pass their own. */
const TIMEOUT_MS = 600_000
/** Lines of a failed program that are shown. */
const SHOWN_LINES = 12

const running = new Set<ChildProcess>()
let interrupted = false

/**
 * Stop a long piece of work from outside: what `run` has started is killed, and what `work` still wants to start fails.
 * Returns when `work` has settled; programs can be run again then.
 */
export async function interrupt(work: Promise<unknown>): Promise<void> {
  interrupted = true
  for (const child of running) child.kill('SIGKILL')
  await work.catch(() => {}) // it fails because of us
  interrupted = false
}

/** Run a program and return its standard output; throws {@link RunError} when it fails. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  if (interrupted) throw new RunError(`${command}: interrupted`)
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: options.env ?? { ...process.env, PATH: SYSTEM_PATH },
    ...(options.cwd && { cwd: options.cwd })
  })
  const output: Buffer[] = []
  const everything: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    output.push(chunk)
    everything.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => everything.push(chunk))
  if (options.onLine)
    for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', options.onLine)
  child.stdin.on('error', () => {}) // a program that does not read its input is none of our faults
  child.stdin.end(options.input ?? '')
  running.add(child)
  const [code, signal] = (await once(child, 'close').finally(() => running.delete(child))) as [
    number | null,
    string | null
  ]
  if (code !== 0) {
    const said = Buffer.concat(everything).toString().trimEnd().split('\n').slice(-SHOWN_LINES).join('\n')
    throw new RunError(`${command} ${args.join(' ').slice(0, 200)}: ${signal ?? `exit code ${code}`}\n${said}`)
  }
  return Buffer.concat(output).toString()
}

/** Run a program whose failure is an answer: true when it ended with 0. */
export async function succeeds(command: string, args: readonly string[], options: RunOptions = {}): Promise<boolean> {
  return run(command, args, options).then(
    () => true,
    () => false
  )
}
