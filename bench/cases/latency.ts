// How long small things take: echo, new connections, requests, datagrams; idle and while a download runs.
import type { Case, Context } from '../harness/case.ts'
import { closeWays, interleave, openWays } from '../harness/rounds.ts'
import { type Goal, type Row, row } from '../harness/rows.ts'
import { spread } from '../harness/statistics.ts'
import type { RoundTripRequest, RoundTripResult } from '../traffic/round-trips.ts'
import { openClientNode } from '../ways/client-node.ts'
import { openDirect } from '../ways/direct.ts'
import { KT, openKt } from '../ways/kt.ts'
import { openKubectl, openKubectlSpdy } from '../ways/kubectl.ts'
import { openSsh, openSshuttle } from '../ways/ssh.ts'
import type { Port, Way } from '../ways/way.ts'

/** One value of a measurement that becomes a row. */
interface Value {
  of: 'p50' | 'p99' | 'perSecond' | 'failed'
  goal?: Goal
}

interface Measure {
  what: string
  port: Port
  kind: RoundTripRequest['kind']
  concurrency: number
  /** The most samples. */
  count: number
  values: Value[]
  /** Once more while a download runs. */
  whileBusy?: boolean
}

const UNITS: Record<Value['of'], string> = { p50: 'ms', p99: 'ms', perSecond: '1/s', failed: 'failed' }
/** Enough for a p99 that means something; time limits it first. */
const MANY = 20_000
const AT_ONCE = 1000
/**
 * The most new connections of one measurement. The port of a caller rests for a minute (TIME_WAIT), and once half of Linux's 28,232 do, it looks
 * long for a free one: 300 connections a second in place of 2,300 was the price. Three measurements in a minute stay below.
 */
const CONNECTIONS = 4_000

const MEASURES: Measure[] = [
  {
    what: 'echo of 64 bytes',
    port: 'traffic',
    kind: 'echo',
    concurrency: 1,
    count: MANY,
    whileBusy: true,
    values: [{ of: 'p50' }, { of: 'p99' }]
  },
  {
    what: 'new connection with its first byte',
    port: 'traffic',
    kind: 'connect',
    concurrency: 1,
    count: CONNECTIONS,
    whileBusy: true,
    values: [{ of: 'p50', goal: { of: 'value', most: 1.5 } }, { of: 'p99' }]
  },
  {
    what: 'new connections, 32 at once',
    port: 'traffic',
    kind: 'connect',
    concurrency: 32,
    count: CONNECTIONS,
    values: [{ of: 'perSecond', goal: { of: 'value', least: 3000 } }, { of: 'p99' }]
  },
  {
    what: `${AT_ONCE} connections at once`,
    port: 'traffic',
    kind: 'connect',
    concurrency: AT_ONCE,
    count: AT_ONCE,
    values: [{ of: 'failed', goal: { of: 'value', most: 0 } }, { of: 'p99' }]
  },
  {
    what: 'request, keep-alive',
    port: 'http',
    kind: 'request',
    concurrency: 1,
    count: MANY,
    whileBusy: true,
    values: [{ of: 'p50', goal: { of: 'value', most: 0.6 } }, { of: 'p99' }]
  },
  {
    what: 'requests, keep-alive, 32 at once',
    port: 'http',
    kind: 'request',
    concurrency: 32,
    count: MANY,
    values: [{ of: 'perSecond' }, { of: 'p99' }]
  },
  {
    what: 'requests, each on a new connection, 32 at once',
    port: 'http',
    kind: 'request-new',
    concurrency: 32,
    count: CONNECTIONS,
    values: [{ of: 'perSecond' }, { of: 'p99' }]
  },
  {
    what: 'UDP echo of 64 bytes',
    port: 'udp',
    kind: 'datagram',
    concurrency: 1,
    count: MANY,
    values: [{ of: 'p50' }, { of: 'p99' }, { of: 'failed' }]
  }
]

export const latency: Case = {
  name: 'latency',
  title: 'round trips, connections and requests, idle and while a download runs',
  run: async context => {
    const bed = await context.testbed()
    const ways = await openWays(context, bed, [
      each => openKubectl(each),
      each => openKt(each),
      openKubectlSpdy,
      openClientNode,
      each => openSsh(each),
      each => openSshuttle(each),
      openDirect
    ])
    try {
      const rows: Row[] = []
      for (const measure of MEASURES) rows.push(...(await idle(context, ways, measure)))
      for (const measure of MEASURES.filter(({ whileBusy }) => whileBusy === true))
        rows.push(...(await loaded(context, ways, measure, rows)))
      return rows
    } finally {
      await closeWays(ways)
    }
  }
}

async function idle(context: Context, ways: Way[], measure: Measure): Promise<Row[]> {
  const able = ways.filter(way => way.target(measure.port) !== undefined)
  const results = await interleave(context, able, measure.what, way => ask(context, way, measure))
  const rows: Row[] = []
  for (const { of, goal } of measure.values) {
    // Lost things are counted, not compared; and where kubectl cannot go there is no baseline.
    let baseline: number | undefined
    for (const [way, samples] of results) {
      if (samples.length === 0) continue
      const value = spread(samples.map(sample => sample[of]))
      const what = `${measure.what}, ${of}: ${way.name}`
      rows.push(
        row({ case: 'latency', what, unit: UNITS[of] }, value, { baseline, ...(way.name === KT && goal && { goal }) })
      )
      if (of !== 'failed' && ways[0] === way) baseline = value.median
    }
  }
  return rows
}

function ask(context: Context, way: Way, { kind, port, count, concurrency }: Measure): Promise<RoundTripResult> {
  const target = way.target(port)!
  return way.generator.order('roundTrips', { kind, target, count, concurrency, limitMs: context.seconds * 1000 })
}

/** Small things on another connection while a download takes all it gets. */
async function loaded(context: Context, ways: Way[], measure: Measure, idleRows: Row[]): Promise<Row[]> {
  const able = ways.filter(way => way.target(measure.port) !== undefined)
  const busy = `${measure.what}, during a download`
  const results = await interleave(context, able, busy, async way => {
    const download = way.generator
      .order('transfer', {
        target: way.target('traffic')!,
        direction: 'down',
        flows: 1,
        bytes: 2 ** 40, // ended by its time
        hashed: false,
        limitMs: context.seconds * 1000 + RUN_UP_MS
      })
      .catch(() => {}) // the time limit, which is meant
    await new Promise(resolve => setTimeout(resolve, RUN_UP_MS))
    const result = await ask(context, way, measure)
    await download
    return result
  })
  return [...results].flatMap(([way, samples]) =>
    (['p50', 'p99'] as const).map(of => {
      const baseline = idleRows.find(({ what }) => what === `${measure.what}, ${of}: ${way.name}`)?.value
      return row(
        { case: 'latency', what: `${busy}, ${of}, against idle: ${way.name}`, unit: 'ms' },
        spread(samples.map(sample => sample[of])),
        { baseline, ...(way.name === KT && of === 'p99' && { goal: { of: 'ratio', most: 3 } }) }
      )
    })
  )
}

/** Until the download fills what there is to fill. */
const RUN_UP_MS = 300
