// kt itself, from its source, on the laptop of a test cluster.
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { builtIn, collect, type Finished, type LaptopOptions, laptop, spawnOnLaptop } from './laptop.ts'

/** The program from its source. */
export const KT = join(import.meta.dirname, '../../../bin/kt.ts')
/** The line that says that everything works. */
export const READY_LINE = 'All looks good, now you can access to resources in the kubernetes cluster'
const READY_MS = 60_000
/** A `kt` that is asked to end and does not is killed, so that the next test begins without it. */
const STOP_MS = 20_000

/** Run `kt` with these arguments to its end. */
export async function kt(args: readonly string[], options: LaptopOptions = {}): Promise<Finished> {
  return laptop(process.execPath, [KT, ...args], options)
}

/** A `kt` that stays, and is ready. */
export interface RunningKt {
  pid: number
  /** From its start to the line that says so. */
  readyMs: number
  /** What it has printed so far on both channels. */
  output(): string
  /** Ask it to end (default: Ctrl-C) and wait; a killed one has `signal` 'SIGKILL'. May be called again. */
  stop(signal?: NodeJS.Signals): Promise<Finished>
}

/** The image that the shadow pod runs: on the built-in cluster there is no registry. */
export function imageArguments(): string[] {
  const image = process.env.KT_TEST_IMAGE ?? (builtIn ? 'kt.local/node:20' : undefined)
  return image ? ['--image', image] : []
}

export interface StartOptions extends LaptopOptions {
  /** A program that becomes kt by executing the words behind its own: `['env', 'A=1']`. */
  through?: readonly string[]
}

/** Start `kt up` and wait until it is ready; throws with its output when it is not, within a minute. */
export async function startKt(args: readonly string[] = [], options: StartOptions = {}): Promise<RunningKt> {
  return startCommand(['up', ...args], READY_LINE, options)
}

/** The same for any command that stays, and the line that says that it is ready. */
export async function startCommand(
  args: readonly string[],
  readyLine: string,
  options: StartOptions = {}
): Promise<RunningKt> {
  const began = performance.now()
  const [command, ...words] = [...(options.through ?? []), process.execPath, KT, ...args, ...imageArguments()]
  const child = spawnOnLaptop(command!, words, options)
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const output = (): string => stdout() + stderr()
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout: stdout(),
    stderr: stderr(),
    ms: performance.now() - began
  }))
  const stop = async (signal: NodeJS.Signals = 'SIGINT'): Promise<Finished> => {
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    return ended.finally(() => clearTimeout(timer))
  }
  const isReady = (): boolean => stdout().includes(readyLine)
  const ready = new Promise<void>(resolve => child.stdout.on('data', () => isReady() && resolve()))
  await Promise.race([ready, ended, delay(options.timeoutMs ?? READY_MS, undefined, { ref: false })])
  if (!isReady()) {
    await stop('SIGTERM')
    throw new Error(`kt ${args.join(' ')} was not ready:\n${output()}`)
  }
  return { pid: child.pid!, readyMs: performance.now() - began, output, stop }
}
