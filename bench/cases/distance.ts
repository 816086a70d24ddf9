// The same way with 20 ms and 80 ms of round-trip time to the API server.
import type { Case, Context } from '../harness/case.ts'
import { openDistance } from '../harness/distance.ts'
import { againstWay, closeWays, figures, interleave, openWays, rowsByWay } from '../harness/rounds.ts'
import type { Goal, Row } from '../harness/rows.ts'
import { type Rounds, spread } from '../harness/statistics.ts'
import type { Testbed } from '../harness/testbed.ts'
import { undoable } from '../harness/undo.ts'
import type { Direction, TransferResult } from '../traffic/transfer.ts'
import { KT, openKt } from '../ways/kt.ts'
import { openKubectl } from '../ways/kubectl.ts'
import { openSshuttle, SSHUTTLE } from '../ways/ssh.ts'
import type { Way } from '../ways/way.ts'

const RTTS_MS = [20, 80]
const MIB = 2 ** 20
/** About two seconds, longer than elsewhere: enough to get over the slow beginning of a connection. */
const BYTES = 256 * MIB
const QUICK_BYTES = 16 * MIB
const TRIAL_BYTES = 4 * MIB
/** A trial that takes so long is a slow rival's. */
const SLOW_MS = 2000
/** Of one transfer of a slow one; its rate hangs on the round trips alone and hardly differs. */
const LONGEST_MS = 4000
const LIMIT_MS = 120_000
/** What the two ends themselves may add to the round trips of a new connection. */
const CONNECT_MS = 2
/** Of one measurement; they hang on the round trips, too. */
const SAMPLES = 15
const SAMPLES_MS = 10_000
const QUICK_SAMPLES_MS = 1000

export const distance: Case = {
  name: 'distance',
  title: 'one flow, new connections and requests with 20 and 80 ms of RTT to the API server',
  run: async context => {
    const bed = await context.testbed()
    const rows: Row[] = []
    // One distance after the other: two `kt up` cannot both have the routes of one cluster.
    for (const rttMs of RTTS_MS) {
      const { kubeconfig, close } = await openDistance(bed, rttMs)
      const end = undoable(close)
      try {
        rows.push(...(await atDistance(context, bed, kubeconfig, rttMs)))
      } finally {
        await end()
      }
    }
    return rows
  }
}

async function atDistance(context: Context, bed: Testbed, kubeconfig: string, rttMs: number): Promise<Row[]> {
  const ways = await openWays(context, bed, [
    each => openKubectl(each, kubeconfig),
    each => openKt(each, { kubeconfig }),
    each => openSshuttle(each, kubeconfig)
  ])
  try {
    return await measure(context, ways, rttMs)
  } finally {
    await closeWays(ways)
  }
}

async function measure(context: Context, ways: Way[], rttMs: number): Promise<Row[]> {
  const [down, up] = [`down at ${rttMs} ms`, `up at ${rttMs} ms`]
  const request = `request, keep-alive, at ${rttMs} ms, p50`
  const connect = `new connection with its first byte, at ${rttMs} ms, p50`
  context.progress(`trial at ${rttMs} ms`)
  const results = await interleave(context, ways, [
    { what: down, measure: await meter(context, ways, 'down') },
    { what: up, measure: await meter(context, ways, 'up') },
    { what: request, measure: way => p50(context, way, 'request') },
    { what: connect, measure: way => p50(context, way, 'connect') }
  ])
  const [downs, ups, requests, connects] = results.map(measured => figures(measured, value => value))
  // What one round trip really takes here, the delay proxy's timers included.
  const rtt = spread(requests!.get(ways[0]!)?.flat() ?? []).median
  const rate: Goal = { of: 'ratio', least: 0.9 }
  return [
    ...compare(down, 'MB/s', downs!, ways, rate),
    ...againstSshuttle(down, downs!),
    ...compare(up, 'MB/s', ups!, ways, rate),
    ...againstSshuttle(up, ups!),
    ...compare(request, 'ms', requests!, ways, { of: 'ratio', most: 1.1 }),
    ...compare(connect, 'ms', connects!, ways, { of: 'value', most: 2 * rtt + CONNECT_MS })
  ]
}

async function p50(context: Context, way: Way, kind: 'request' | 'connect'): Promise<number> {
  const target = way.target(kind === 'request' ? 'http' : 'traffic')!
  const limitMs = context.quick ? QUICK_SAMPLES_MS : SAMPLES_MS
  return (await way.generator.order('roundTrips', { kind, target, count: SAMPLES, concurrency: 1, limitMs })).p50
}

/** Finds out how much each way can move, then gives the function that measures MB/s: of the same bytes in all rounds. */
async function meter(context: Context, ways: Way[], direction: Direction): Promise<(way: Way) => Promise<number>> {
  const move = (way: Way, bytes: number): Promise<TransferResult> => {
    const request = { target: way.target('traffic')!, direction, flows: 1, bytes, hashed: false, limitMs: LIMIT_MS }
    return way.generator.order('transfer', request)
  }
  const most = context.quick ? QUICK_BYTES : BYTES
  const sizes = new Map<Way, number>()
  for (const way of ways) {
    // One that fails here fails again below, and is noted there.
    sizes.set(way, await patience(bytes => move(way, bytes), most).catch(() => most))
  }
  return async way => {
    const { bytes, ms } = await move(way, sizes.get(way)!)
    return bytes / 1000 / ms
  }
}

/** How many bytes: all, or as many as a slow rival moves in some seconds. */
async function patience(move: (bytes: number) => Promise<TransferResult>, most: number): Promise<number> {
  const first = await move(TRIAL_BYTES)
  if (first.ms >= SLOW_MS) return Math.ceil((first.bytes / first.ms) * LONGEST_MS)
  const second = await move(Math.min(most, TRIAL_BYTES * 8))
  // Of the difference, because the first second of a connection says nothing about its rate.
  const perMs = (second.bytes - first.bytes) / Math.max(1, second.ms - first.ms)
  return Math.min(most, Math.ceil(perMs * LONGEST_MS))
}

/** The other goal: how many times faster than what people use today. */
function againstSshuttle(what: string, of: Map<Way, Rounds>): Row[] {
  const [kt, rival] = [KT, SSHUTTLE].map(name => [...of].find(([way]) => way.name === name))
  if (kt === undefined || rival === undefined) return []
  const where = { case: 'distance', what: `${what}: ${KT} against ${SSHUTTLE}`, unit: 'MB/s' }
  return rowsByWay(new Map([kt]), () => where, { against: () => rival[1], goal: () => ({ of: 'ratio', least: 10 }) })
}

function compare(what: string, unit: string, of: Map<Way, Rounds>, ways: Way[], goal: Goal): Row[] {
  return rowsByWay(of, way => ({ case: 'distance', what: `${what}: ${way.name}`, unit }), {
    against: againstWay(of, ways[0]!),
    goal: way => (way.name === KT ? goal : undefined)
  })
}
