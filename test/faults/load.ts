// The load under which faults happen: one program on the laptop, and callers in a pod of the cluster.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { kubectl } from '../e2e/_support/kubectl.ts'
import { spawnOnLaptop } from '../e2e/_support/laptop.ts'

/** What peers/load.peer.ts is told. */
export interface LoadOptions {
  /** Address of node-echo. */
  host: string
  /** Port of the local program, on loopback. */
  local: number
  /** Length of the download and of the upload; each stops there, or when the load ends. */
  mebibytes: number
  mebibytesPerSecond: number
  /** Names that are asked for, each with its only address. */
  names: Record<string, string>
}

/** What it tells while it runs. Times are milliseconds since the epoch. */
export interface Progress {
  down: number
  up: number
  echoedAt: number
  namedAt: Record<string, number>
  /** Requests of the exchanged service. */
  served: number
}

/** One of the three connections that are held. */
export interface Connection {
  name: string
  bytes: number
  wrong: number
  /** Errors after which it was begun again. */
  broken: string[]
  /** It neither broke nor answered. */
  silent: boolean
}

export interface Outcome {
  connections: Connection[]
  questions: { asked: number; failed: number; wrong: number }
}

/** What the callers in the cluster saw of requests that were asked in one second. */
export interface Second {
  /** Milliseconds since the epoch. */
  at: number
  laptop: number
  pod: number
  wrong: number
  failed: number
  errors: Record<string, number>
}

const CALLER = 'faults-caller'
const CALLERS_MS = 60_000
/** The peer waits this long for what is on its way, and then some. */
const FINISH_MS = 30_000

export class Load {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #closed: Promise<unknown>
  #outcome: Outcome | undefined
  /** Of this moment, a quarter of a second old at most. */
  progress: Progress = { down: 0, up: 0, echoedAt: 0, namedAt: {}, served: 0 }

  /** Begins at once. */
  constructor(options: LoadOptions) {
    const peer = join(import.meta.dirname, 'peers/load.peer.ts')
    this.#child = spawnOnLaptop(process.execPath, [peer, JSON.stringify(options)])
    this.#child.stderr.pipe(process.stderr)
    this.#closed = once(this.#child, 'close')
    createInterface({ input: this.#child.stdout }).on('line', line => {
      const told = JSON.parse(line) as Partial<Progress> & { outcome?: Outcome }
      if (told.outcome === undefined) this.progress = { ...this.progress, ...told }
      else this.#outcome = told.outcome
    })
  }

  /** End it, and hear what came of it. */
  async finish(): Promise<Outcome> {
    this.#child.stdin.end()
    await Promise.race([this.#closed, delay(FINISH_MS, undefined, { ref: false })])
    this.kill()
    if (this.#outcome === undefined) throw new Error('the load has not said what came of it')
    return this.#outcome
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Callers of a service, in a pod of their own on the last node; `url` is without a path. Resolves when they call. */
export async function startCallers(url: string, image: string): Promise<void> {
  await stopCallers()
  const script = readFileSync(join(import.meta.dirname, 'peers/requests.pod.mjs'), 'utf8')
  const container = {
    name: 'caller',
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '--input-type=module', '-e', script, url]
  }
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: CALLER, namespace: 'demo' },
    spec: { containers: [container], terminationGracePeriodSeconds: 0 }
  }
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify(pod) })
  await kubectl(['-n', 'demo', 'wait', 'pod', CALLER, '--for=condition=Ready', `--timeout=${CALLERS_MS / 1000}s`], {
    timeoutMs: CALLERS_MS + 5_000
  })
}

export async function stopCallers(): Promise<void> {
  await kubectl(['-n', 'demo', 'delete', 'pod', CALLER, '--ignore-not-found'])
}

/** What they saw in a stretch of time; requests of the last seconds are known a little later. */
export async function callersSaw(fromMs: number, toMs: number): Promise<Second[]> {
  const text = await kubectl(['-n', 'demo', 'logs', CALLER, `--since-time=${new Date(fromMs).toISOString()}`])
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Second)
    .filter(({ at }) => at >= fromMs && at <= toMs)
}
