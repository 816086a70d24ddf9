// The one runner of child processes: no shell, a time limit, messages in English.
import { execFile, execFileSync } from 'node:child_process'
import { KtError } from '../errors.ts'

/** A tool of the operating system that takes longer than this hangs. */
const LIMIT_MS = 10_000
/** The routing table of a full BGP router as JSON would not fit; that of a laptop is a thousand times smaller. */
const OUTPUT_BYTES = 16 << 20
/** Where `ip` lies on systems whose users do not have it in their PATH. */
const SYSTEM_PATH = '/usr/sbin:/sbin:/usr/bin:/bin'

export interface RunOptions {
  /** Text for the standard input; without it the input is empty. */
  input?: string
  /** Milliseconds after which the program is killed. */
  limitMs?: number
}

export interface RunResult {
  /** True: exit code 0. */
  ok: boolean
  stdout: string
  /** Why it failed, in the program's own words; may have several lines. Empty or a warning when `ok`. */
  stderr: string
}

/**
 * Run a program to its end. A failure is a result, not an exception: the caller knows what it means.
 * Rejects only with KT_NO_TOOL, when the program is not installed.
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { input = '', limitMs = LIMIT_MS } = options
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      {
        encoding: 'utf8',
        timeout: limitMs,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_BYTES,
        windowsHide: true,
        env: toolEnvironment()
      },
      (error, stdout, stderr) => {
        if (error?.code === 'ENOENT') reject(noTool(program, error))
        else if (error?.killed === true)
          resolve({ ok: false, stdout, stderr: `${program}: no end after ${limitMs} ms` })
        else resolve({ ok: error === null, stdout, stderr: stderr.trim() || (error?.message ?? '') })
      }
    )
    // A program that ends without reading everything closes the pipe: its exit code tells more than our EPIPE.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** As `run`, for what must be known at once: its standard output, or undefined when it fails. */
export function runSync(program: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      timeout: LIMIT_MS,
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'ignore'],
      // UTC: a time that is printed is the same wherever the laptop is by then.
      env: { ...toolEnvironment(), TZ: 'UTC' }
    })
  } catch {
    return undefined
  }
}

/** Messages in English, and the programs of the system found wherever the user's PATH leads. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  if (process.platform === 'win32') return { ...process.env }
  return { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:${SYSTEM_PATH}` }
}

/** Packages that are not called like their programs. */
const PACKAGES: Record<string, string> = { ip: 'iproute2', nsenter: 'util-linux', unshare: 'util-linux' }

function noTool(program: string, cause: Error): KtError {
  return new KtError('KT_NO_TOOL', `the program ${program} is missing on this computer`, {
    hint: `install ${PACKAGES[program] ?? program}`,
    cause
  })
}
