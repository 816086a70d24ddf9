// Programs on the laptop of a test cluster. With KT_TEST_KUBECONFIG this machine is the laptop and that is the cluster.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { existingCluster } from '../../cluster/existing.ts'
import { laptopVariables, onLaptop } from '../../cluster/laptop.ts'
import { UnfitMachine } from '../../cluster/machine.ts'
import { cacheDirectory } from '../../cluster/settings.ts'
import { CLUSTERS, type ClusterName } from './areas.ts'

/** All optional. */
export interface LaptopOptions {
  /** Default: `main`. Others only in areas whose `area.json` names them. */
  cluster?: ClusterName
  /** Written to the program's standard input, which is then closed. */
  input?: string | Uint8Array
  /** Beside KUBECONFIG, KT_HOME and PATH, which are set; `undefined` removes a variable. */
  env?: Record<string, string | undefined>
  /** Killed after this many milliseconds; default one minute. */
  timeoutMs?: number
}

/** A program that has ended. */
export interface Finished {
  /** Exit code; null when a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** From start to end. */
  ms: number
}

const TIMEOUT_MS = 60_000
/** The most output of one program that is kept: tests of large transfers compare sums, not bytes. */
const MAX_OUTPUT_BYTES = 64 * 2 ** 20

/**
 * The kubeconfig of a cluster of one's own, if it is to be used. Never that of a built-in cluster: on the machine's own
 * network, which has a way out, `kt` would be tested on the wrong side of it.
 */
export function ownKubeconfig(): string | undefined {
  const path = process.env.KT_TEST_KUBECONFIG
  if (!path) return undefined
  if (!resolve(path).startsWith(join(cacheDirectory(process.env), '/'))) return path
  throw new UnfitMachine('KT_TEST_KUBECONFIG names a built-in cluster: leave it out, the tests then run on its laptop')
}

/** True when the built-in cluster is used, with its images and its laptop in a network namespace. */
export const builtIn = !process.env.KT_TEST_KUBECONFIG

/** The kubeconfig on the laptop. */
export function kubeconfig(cluster: ClusterName = 'main'): string {
  return ownKubeconfig() ?? settingsOf(cluster).kubeconfig
}

/** Start a program on the laptop. The process is the program itself: signals and its id are those of the program. */
export function spawnOnLaptop(
  command: string,
  args: readonly string[],
  options: LaptopOptions = {}
): ChildProcessWithoutNullStreams {
  const own = ownKubeconfig()
  if (own) return spawn(command, args, { env: { ...process.env, KUBECONFIG: own, ...options.env } })
  const settings = settingsOf(options.cluster ?? 'main')
  const [program, programArgs] = onLaptop(settings, [command, ...args])
  return spawn(program, programArgs, { env: { ...process.env, ...laptopVariables(settings), ...options.env } })
}

/** Run a program on the laptop to its end. Its failure is a result, not an error. */
export async function laptop(command: string, args: readonly string[], options: LaptopOptions = {}): Promise<Finished> {
  const began = performance.now()
  const child = spawnOnLaptop(command, args, options)
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? TIMEOUT_MS)
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  child.stdin.on('error', () => {}) // a program need not read its input
  child.stdin.end(options.input ?? '')
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  return { code, signal, stdout: stdout(), stderr: stderr(), ms: performance.now() - began }
}

function settingsOf(cluster: ClusterName): ReturnType<typeof existingCluster> {
  return existingCluster(CLUSTERS[cluster].id, cacheDirectory(process.env))
}

/** Keep what a stream says; the returned function gives it as text. */
export function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk)
  })
  return () => Buffer.concat(chunks).toString()
}
