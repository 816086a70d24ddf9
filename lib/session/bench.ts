// `kt bench`, put together: what this cluster's port-forward carries, and what kt carries over it, in turns and between the same two ends.
import type { Duplex } from 'node:stream'
import { rightsOf } from '../kube/api/rights.ts'
import { openCarrier } from '../kube/carrier/carrier.ts'
import { download, echoes, upload } from '../tunnel/traffic.ts'
import { type ClusterOptions, openCluster } from './link/open-cluster.ts'
import { reachAgent } from './link/reach-agent.ts'
import type { Report } from './report.ts'
import { type Running, runSession, step } from './run.ts'
import type { Parts } from './status.ts'

/** Of round trips, ms: short beside a transfer, and still some hundred of them. */
const ECHO_MS = 1_000
/** Until a download fills what there is to fill, ms. */
const LOADED_AFTER_MS = 500
const LOOPBACK = '127.0.0.1'
/** Medians that differ by less than this part say nothing. */
const SAME = 0.1
/** A baseline whose most is more than so many times its least makes a ratio doubtful. */
const UNSTEADY = 2

export interface BenchOptions extends ClusterOptions {
  image: string
  /** Of one transfer. */
  seconds: number
  /** How often kt is measured; the bare port-forward once more, because it comes first and last. */
  rounds: number
}

/** Median, least and most. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** One line of the result. */
export interface BenchFigure {
  what: 'download' | 'upload' | 'round trip' | 'round trip during a download'
  unit: 'MB/s' | 'ms'
  /** One port-forward of its own, and nothing else between the two ends. */
  bare: Spread
  /** The same through kt's mux and agent. */
  kt: Spread
  /** kt / bare, of the medians. */
  ratio: number
}

type Way = () => Promise<Duplex>

/** How a line is measured: the ways in turns, so that they meet the same cluster. */
interface Turns {
  running: Running
  rounds: number
  bare: Way
  kt: Way
}

/** Measure, undo, and give the figures. Rejects with a KtError; undefined: stopped by the user. */
export async function bench(
  options: BenchOptions,
  report: Report,
  stop: AbortController
): Promise<BenchFigure[] | undefined> {
  let figures: BenchFigure[] | undefined
  await runSession(report, stop, async running => {
    figures = await measure(running, options)
    stop.abort()
    return { lost: new Promise<Error>(() => {}) }
  })
  return figures
}

async function measure(running: Running, options: BenchOptions): Promise<BenchFigure[]> {
  const parts: Parts = {}
  const command = { name: 'bench', rights: (namespace: string) => rightsOf('bench', namespace) }
  const cluster = await openCluster(running, options, command, parts)
  const link = await reachAgent(running, cluster, parts, { image: options.image })
  const tunnel = link.tunnel!
  const { port, close } = await tunnel.traffic()
  running.life.onStop('', close)
  const signal = running.stop.signal
  const turns: Turns = {
    running,
    rounds: options.rounds,
    bare: () => openCarrier(cluster, { pod: parts.keeper!.podName, port, signal }),
    kt: () => tunnel.dial(LOOPBACK, port, { signal })
  }
  const ms = options.seconds * 1_000
  return [
    await compare(turns, 'download', 'MB/s', async way => download(await way(), ms)),
    await compare(turns, 'upload', 'MB/s', async way => upload(await way(), ms)),
    await compare(turns, 'round trip', 'ms', async way => middle(await echoes(await way(), ECHO_MS))),
    await compare(turns, 'round trip during a download', 'ms', way => loaded(way, ms))
  ]
}

async function compare(
  { running, rounds, bare, kt }: Turns,
  what: BenchFigure['what'],
  unit: BenchFigure['unit'],
  once: (way: Way) => Promise<number>
): Promise<BenchFigure> {
  return await step(running, `Measured: ${what}`, async () => {
    const [bares, kts]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      running.stop.signal.throwIfAborted()
      bares.push(await once(bare))
      kts.push(await once(kt))
    }
    bares.push(await once(bare))
    const [ours, theirs] = [spreadOf(kts), spreadOf(bares)]
    return { what, unit, bare: theirs, kt: ours, ratio: ours.median / theirs.median }
  })
}

/** Echoes beside a download: through kt both share one carrier, bare each has a port-forward of its own. */
async function loaded(way: Way, ms: number): Promise<number> {
  const bulk = await way()
  const echo = await way()
  const running = download(bulk, ms)
  running.catch(() => {}) // awaited below
  await new Promise(resolve => setTimeout(resolve, LOADED_AFTER_MS))
  const times = await echoes(echo, Math.min(ms, ECHO_MS))
  await running
  return middle(times)
}

function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: middle(sorted), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

function middle(sorted: readonly number[]): number {
  const at = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[at]! : ((sorted[at - 1] ?? Number.NaN) + (sorted[at] ?? Number.NaN)) / 2
}

/** What the figures mean, a sentence each. Pure. */
export function verdicts(figures: readonly BenchFigure[]): string[] {
  const sentences = figures.map(({ what, unit, bare, kt, ratio }) => {
    if (Math.abs(ratio - 1) <= SAME) return `${what}: as on a bare port-forward`
    if (unit === 'MB/s') return `${what}: ${Math.round(ratio * 100)} % of what a bare port-forward carries`
    const difference = `${Math.abs(kt.median - bare.median).toFixed(2)} ms`
    return `${what}: ${difference} ${ratio > 1 ? 'more' : 'less'} than on a bare port-forward`
  })
  const unsteady = figures.filter(({ bare }) => bare.max > UNSTEADY * bare.min).map(({ what }) => what)
  if (unsteady.length === 0) return sentences
  return [
    ...sentences,
    `The bare port-forward alone varies by more than ${UNSTEADY} × here (${unsteady.join(', ')}): read the ratios with care`
  ]
}
