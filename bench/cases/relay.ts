// The whole way on a real cluster: bytes per second and CPU seconds per GiB, kt beside its rivals.

import type { Case, Context } from '../harness/case.ts'
import { type CpuSeconds, startCpuClock } from '../harness/cpu.ts'
import { closeWays, interleave, openWays } from '../harness/rounds.ts'
import { type Goal, type Row, row } from '../harness/rows.ts'
import { type Spread, spread } from '../harness/statistics.ts'
import type { Testbed } from '../harness/testbed.ts'
import type { Direction, TransferResult } from '../traffic/transfer.ts'
import { openClientNode } from '../ways/client-node.ts'
import { openDirect } from '../ways/direct.ts'
import { KT, openKt, openKtProxy } from '../ways/kt.ts'
import { openKubectl, openKubectlSpdy } from '../ways/kubectl.ts'
import { openSsh, openSshuttle } from '../ways/ssh.ts'
import type { Way } from '../ways/way.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30
/** The most that one measurement moves, whatever the rate. */
const MOST_BYTES = 512 * MIB
const LEAST_BYTES = 32 * MIB
const LIMIT_MS = 60_000
/** A slow rival moves less, so that it takes at most so many times the time. */
const PATIENCE = 3

/** One measurement. */
interface Sample {
  transfer: TransferResult
  cpu: CpuSeconds
}

export const relay: Case = {
  name: 'relay',
  title: 'bytes through the whole way, against bare kubectl port-forward and other rivals',
  run: async context => {
    const bed = await context.testbed()
    const ways = await openWays(context, bed, [
      b => openKubectl(b),
      b => openKt(b),
      b => openKtProxy(b, 'port-forward'),
      b => openKtProxy(b, 'ssh'),
      openKubectlSpdy,
      openClientNode,
      each => openSsh(each),
      each => openSshuttle(each),
      openDirect
    ])
    try {
      return await measureAll(context, bed, ways)
    } finally {
      await closeWays(ways)
    }
  }
}

async function measureAll(context: Context, bed: Testbed, ways: Way[]): Promise<Row[]> {
  const rows: Row[] = []
  const alone = new Map<Direction, number>()
  for (const direction of ['down', 'up', 'both'] as const) {
    for (const flows of context.quick ? [1, 64] : [1, 8, 64]) {
      const what = `${direction}, ${flows} ${flows === 1 ? 'flow' : 'flows'}`
      const results = await interleave(context, ways, what, await meter(context, bed, ways, direction, flows))
      rows.push(...rates(what, results, flows, direction, alone))
      if (flows === 1) rows.push(...cpuRows(what, results, direction))
      if (flows === 64) rows.push(...stalls(what, results))
    }
  }
  return rows
}

/** Finds out how much to move, then gives the function that moves it. */
async function meter(
  context: Context,
  bed: Testbed,
  ways: Way[],
  direction: Direction,
  flows: number
): Promise<(way: Way) => Promise<Sample>> {
  const parts = new Map(await Promise.all(ways.map(async way => [way, await bed.parts(way)] as const)))
  const move = (way: Way, bytes: number): Promise<TransferResult> =>
    way.generator.order('transfer', {
      target: way.target('traffic')!,
      direction,
      flows,
      bytes,
      hashed: false,
      limitMs: LIMIT_MS
    })
  const bytesPerSecond = new Map<Way, number>()
  for (const way of ways) {
    const trial = await move(way, LEAST_BYTES / 2).catch(() => undefined) // fails again below, and is noted there
    bytesPerSecond.set(way, trial ? (LEAST_BYTES / 2 / trial.ms) * 1000 : Number.POSITIVE_INFINITY)
  }
  const wanted = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, bytesPerSecond.get(ways[0]!)! * context.seconds))
  return async way => {
    const bytes = Math.min(wanted, bytesPerSecond.get(way)! * context.seconds * PATIENCE)
    const cpu = startCpuClock(parts.get(way)!)
    return { transfer: await move(way, Math.ceil(bytes / MIB) * MIB), cpu: cpu() }
  }
}

function rates(
  what: string,
  results: Map<Way, Sample[]>,
  flows: number,
  direction: Direction,
  alone: Map<Direction, number>
): Row[] {
  const rows: Row[] = []
  let baseline: number | undefined
  for (const [way, samples] of results) {
    if (samples.length === 0) continue
    const rate = spread(samples.map(({ transfer }) => transfer.bytes / 1000 / transfer.ms))
    const isKt = way.name === KT
    const goal: Goal | undefined = isKt && flows === 1 && direction !== 'both' ? { of: 'ratio', least: 1 } : undefined
    rows.push(row({ case: 'relay', what: `${what}: ${way.name}`, unit: 'MB/s' }, rate, { baseline, goal }))
    baseline ??= rate.median
    if (!isKt) continue
    if (flows === 1) alone.set(direction, rate.median)
    else if (flows === 64) rows.push(againstOne(what, rate, alone.get(direction)))
  }
  return rows
}

function againstOne(what: string, rate: Spread, one: number | undefined): Row {
  return row({ case: 'relay', what: `${what}: ${KT} against its own one flow`, unit: 'MB/s' }, rate, {
    baseline: one,
    goal: { of: 'ratio', least: 0.9 }
  })
}

const CPU_GOALS: Record<string, Partial<Record<Direction, number>>> = {
  client: { down: 1, up: 0.9 },
  agent: { down: 0.6, up: 0.6 }
}

/** CPU seconds per GiB for each part of the way, and for all of them. */
function cpuRows(what: string, results: Map<Way, Sample[]>, direction: Direction): Row[] {
  const rows: Row[] = []
  for (const [way, samples] of results) {
    const parts = Object.keys(samples[0]?.cpu ?? {})
    for (const part of [...parts, 'sum']) {
      const perGiB = samples.map(({ cpu, transfer }) => {
        const seconds = part === 'sum' ? Object.values(cpu).reduce((a, b) => a + b, 0) : cpu[part]!
        return (seconds / transfer.bytes) * GIB
      })
      const most = way.name === KT ? CPU_GOALS[part]?.[direction] : undefined
      const goal: Goal | undefined = most === undefined ? undefined : { of: 'value', most }
      rows.push(
        row({ case: 'relay', what: `CPU, ${what}: ${way.name}: ${part}`, unit: 's/GiB' }, spread(perGiB), { goal })
      )
    }
  }
  return rows
}

function stalls(what: string, results: Map<Way, Sample[]>): Row[] {
  return [...results]
    .filter(([, samples]) => samples.length > 0)
    .map(([way, samples]) =>
      row(
        { case: 'relay', what: `longest wait of a flow, ${what}: ${way.name}`, unit: 'ms' },
        spread(samples.map(({ transfer }) => transfer.stallMs)),
        way.name === KT ? { goal: { of: 'value', most: 2000 } } : {}
      )
    )
}
