// How long small things take: echo, new connections, requests, datagrams; idle and while a download runs.
import type { Case, Context } from '../harness/case.ts'
import { type Parts, startCpuClock, untilRest } from '../harness/cpu.ts'
import { againstWay, closeWays, figures, interleave, type Measured, openWays, rowsByWay } from '../harness/rounds.ts'
import type { Goal, Row } from '../harness/rows.ts'
import type { Testbed } from '../harness/testbed.ts'
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
 * long for a free one: 300 connections a second in place of 2,300 was the price. What a way opens in a round stays below.
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
      return await measureAll(context, bed, ways)
    } finally {
      await closeWays(ways)
    }
  }
}

async function measureAll(context: Context, bed: Testbed, ways: Way[]): Promise<Row[]> {
  const parts = new Map(await Promise.all(ways.map(async way => [way, await bed.parts(way)] as const)))
  // What runs beside a download right behind the same without: that is its baseline.
  const things = MEASURES.flatMap(measure => {
    const can = (way: Way): boolean => way.target(measure.port) !== undefined
    const idle = { what: measure.what, measure: (way: Way) => ask(context, way, measure), can }
    const busy = {
      what: whileBusy(measure),
      measure: (way: Way) => askBusy(context, way, measure, parts.get(way)!),
      can
    }
    return measure.whileBusy === true ? [idle, busy] : [idle]
  })
  const results = await interleave(context, ways, things)
  const of = (what: string): Measured<RoundTripResult> => results[things.findIndex(thing => thing.what === what)]!
  return [
    ...MEASURES.flatMap(measure => idleRows(measure, of(measure.what), ways)),
    ...MEASURES.filter(each => each.whileBusy === true).flatMap(measure =>
      busyRows(measure, of(whileBusy(measure)), of(measure.what))
    )
  ]
}

function whileBusy({ what }: Measure): string {
  return `${what}, during a download`
}

function idleRows(measure: Measure, measured: Measured<RoundTripResult>, ways: Way[]): Row[] {
  return measure.values.flatMap(({ of, goal }) => {
    const values = figures(measured, sample => sample[of])
    const where = (way: Way) => ({ case: 'latency', what: `${measure.what}, ${of}: ${way.name}`, unit: UNITS[of] })
    return rowsByWay(values, where, {
      // Lost things are counted, not compared; and where kubectl cannot go there is no baseline.
      against: of === 'failed' ? () => undefined : againstWay(values, ways[0]!),
      goal: way => (way.name === KT ? goal : undefined)
    })
  })
}

function ask(context: Context, way: Way, { kind, port, count, concurrency }: Measure): Promise<RoundTripResult> {
  const target = way.target(port)!
  return way.generator.order('roundTrips', { kind, target, count, concurrency, limitMs: context.seconds * 1000 })
}

/** Small things on another connection while a download takes all it gets. */
async function askBusy(context: Context, way: Way, measure: Measure, parts: Parts): Promise<RoundTripResult> {
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
  try {
    return await ask(context, way, measure)
  } finally {
    await download
    await untilRest(() => startCpuClock(parts), REST_MS)
  }
}

function busyRows(measure: Measure, measured: Measured<RoundTripResult>, idle: Measured<RoundTripResult>): Row[] {
  const [p50, p99] = (['p50', 'p99'] as const).map(of => {
    const before = figures(idle, sample => sample[of])
    const what = `${whileBusy(measure)}, ${of}, against idle`
    const where = (way: Way) => ({ case: 'latency', what: `${what}: ${way.name}`, unit: 'ms' })
    return rowsByWay(
      figures(measured, sample => sample[of]),
      where,
      {
        against: way => before.get(way),
        goal: way => (way.name === KT && of === 'p99' ? { of: 'ratio', most: 3 } : undefined)
      }
    )
  })
  return p50!.flatMap((row, way) => [row, p99![way]!])
}

/** Until the download fills what there is to fill. */
const RUN_UP_MS = 300
/** kubectl hands on what it has read of a download that was given up, for a second or more; it would count against who comes next. */
const REST_MS = 3000
