// The whole way on a real cluster: bytes per second and CPU seconds per GiB, kt beside its rivals.

import type { Case, Context } from '../harness/case.ts'
import { type CpuSeconds, type Parts, startCpuClock } from '../harness/cpu.ts'
import {
  againstWay,
  closeWays,
  figures,
  interleave,
  type Measured,
  openWays,
  rowsByWay,
  type Thing
} from '../harness/rounds.ts'
import type { Row } from '../harness/rows.ts'
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

/** So many flows in a direction. */
interface Bulk extends Thing<Sample> {
  direction: Direction
  flows: number
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
  const parts = new Map(await Promise.all(ways.map(async way => [way, await bed.parts(way)] as const)))
  const things: Bulk[] = []
  for (const direction of ['down', 'up', 'both'] as const) {
    for (const flows of context.quick ? [1, 64] : [1, 8, 64]) {
      const what = `${direction}, ${flows} ${flows === 1 ? 'flow' : 'flows'}`
      context.progress(`trial: ${what}`)
      things.push({ what, direction, flows, measure: await meter(context, parts, direction, flows) })
    }
  }
  const results = await interleave(context, ways, things)
  return things.flatMap((thing, index) => {
    const alone = things.findIndex(({ direction, flows }) => direction === thing.direction && flows === 1)
    return [
      ...rates(thing, results[index]!, results[alone]!, ways),
      ...(thing.flows === 1 ? cpuRows(thing, results[index]!, ways) : []),
      ...(thing.flows === 64 ? stalls(thing, results[index]!) : [])
    ]
  })
}

/** Finds out how much to move, then gives the function that moves it: the same in all rounds. */
async function meter(
  context: Context,
  parts: Map<Way, Parts>,
  direction: Direction,
  flows: number
): Promise<(way: Way) => Promise<Sample>> {
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
  for (const way of parts.keys()) {
    const trial = await move(way, LEAST_BYTES / 2).catch(() => undefined) // fails again below, and is noted there
    bytesPerSecond.set(way, trial ? (LEAST_BYTES / 2 / trial.ms) * 1000 : Number.POSITIVE_INFINITY)
  }
  const [baseline] = bytesPerSecond.values()
  const wanted = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, baseline! * context.seconds))
  return async way => {
    const bytes = Math.min(wanted, bytesPerSecond.get(way)! * context.seconds * PATIENCE)
    const cpu = startCpuClock(parts.get(way)!)
    return { transfer: await move(way, Math.ceil(bytes / MIB) * MIB), cpu: cpu() }
  }
}

function rates(
  { what, direction, flows }: Bulk,
  measured: Measured<Sample>,
  one: Measured<Sample>,
  ways: Way[]
): Row[] {
  const rate = ({ transfer }: Sample): number => transfer.bytes / 1000 / transfer.ms
  const of = figures(measured, rate)
  const rows = rowsByWay(of, way => ({ case: 'relay', what: `${what}: ${way.name}`, unit: 'MB/s' }), {
    against: againstWay(of, ways[0]!),
    goal: way => (way.name === KT && flows === 1 && direction !== 'both' ? { of: 'ratio', least: 1 } : undefined)
  })
  if (flows !== 64) return rows
  const alone = figures(one, rate)
  const own = rowsByWay(
    new Map([...of].filter(([way]) => way.name === KT)),
    () => ({ case: 'relay', what: `${what}: ${KT} against its own one flow`, unit: 'MB/s' }),
    { against: way => alone.get(way), goal: () => ({ of: 'ratio', least: 0.9 }) }
  )
  const after = rows.findIndex(each => each.what === `${what}: ${KT}`) + 1
  return rows.toSpliced(after, 0, ...own)
}

const CPU_GOALS: Record<string, Partial<Record<Direction, number>>> = {
  client: { down: 1, up: 0.9 },
  agent: { down: 0.6, up: 0.6 }
}

/** CPU seconds per GiB for each part of the way, and for all of them, beside the same part of the baseline. */
function cpuRows({ what, direction }: Bulk, measured: Measured<Sample>, ways: Way[]): Row[] {
  const parts = Object.keys([...measured.values()].flat(2)[0]?.cpu ?? {})
  const byPart = [...parts, 'sum'].map(part => {
    const of = figures(measured, ({ cpu, transfer }) => (secondsOf(cpu, part) / transfer.bytes) * GIB)
    return rowsByWay(of, way => ({ case: 'relay', what: `CPU, ${what}: ${way.name}: ${part}`, unit: 's/GiB' }), {
      // The baseline has no agent; kt's waits beside it.
      against: part === 'agent' ? () => undefined : againstWay(of, ways[0]!),
      goal: way => {
        const most = way.name === KT ? CPU_GOALS[part]?.[direction] : undefined
        return most === undefined ? undefined : { of: 'value', most }
      }
    })
  })
  // Of each way all parts, in the order in which they stand on the way.
  return (byPart[0] ?? []).flatMap((_, way) => byPart.map(rows => rows[way]!))
}

function secondsOf(cpu: CpuSeconds, part: string): number {
  return part === 'sum' ? Object.values(cpu).reduce((a, b) => a + b, 0) : cpu[part]!
}

function stalls({ what }: Bulk, measured: Measured<Sample>): Row[] {
  const of = figures(measured, ({ transfer }) => transfer.stallMs)
  const where = (way: Way) => ({ case: 'relay', what: `longest wait of a flow, ${what}: ${way.name}`, unit: 'ms' })
  return rowsByWay(of, where, { goal: way => (way.name === KT ? { of: 'value', most: 2000 } : undefined) })
}
