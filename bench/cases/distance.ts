// The same way with 20 ms and 80 ms of round-trip time to the API server.
import type { Case, Context } from '../harness/case.ts'
import { openDistance } from '../harness/distance.ts'
import { closeWays, interleave, openWays } from '../harness/rounds.ts'
import { type Goal, type Row, row } from '../harness/rows.ts'
import { spread } from '../harness/statistics.ts'
import type { Testbed } from '../harness/testbed.ts'
import { undoable } from '../harness/undo.ts'
import type { Direction } from '../traffic/transfer.ts'
import { KT, openKt } from '../ways/kt.ts'
import { openKubectl } from '../ways/kubectl.ts'
import { openSshuttle, SSHUTTLE } from '../ways/ssh.ts'
import type { Way } from '../ways/way.ts'

const RTTS_MS = [20, 80]
const MIB = 2 ** 20
/** Long enough to get over the slow beginning of a connection. */
const BYTES = 256 * MIB
const QUICK_BYTES = 16 * MIB
const TRIAL_BYTES = 4 * MIB
/** Of one transfer, seconds, at the rate of its trial. */
const LONGEST_S = 15
const LIMIT_MS = 120_000
/** What the two ends themselves may add to the round trips of a new connection. */
const CONNECT_MS = 2
const SAMPLES = 30

export const distance: Case = {
  name: 'distance',
  title: 'one flow, new connections and requests with 20 and 80 ms of RTT to the API server',
  run: async context => {
    const bed = await context.testbed()
    const rows: Row[] = []
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
  const rows: Row[] = []
  for (const direction of ['down', 'up'] as const) {
    const what = `${direction} at ${rttMs} ms`
    const results = await interleave(context, ways, what, way => rate(context, way, direction))
    rows.push(...compare(what, 'MB/s', results, { of: 'ratio', least: 0.9 }), ...againstSshuttle(what, results))
  }
  const request = `request, keep-alive, at ${rttMs} ms, p50`
  const requests = await interleave(context, ways, request, way => p50(context, way, 'request'))
  rows.push(...compare(request, 'ms', requests, { of: 'ratio', most: 1.1 }))
  // What one round trip really takes here, the delay proxy's timers included.
  const rtt = spread(requests.get(ways[0]!)!).median
  const connect = `new connection with its first byte, at ${rttMs} ms, p50`
  const connects = await interleave(context, ways, connect, way => p50(context, way, 'connect'))
  rows.push(...compare(connect, 'ms', connects, { of: 'value', most: 2 * rtt + CONNECT_MS }))
  return rows
}

async function p50(context: Context, way: Way, kind: 'request' | 'connect'): Promise<number> {
  const target = way.target(kind === 'request' ? 'http' : 'traffic')!
  const limitMs = context.seconds * 2000
  return (await way.generator.order('roundTrips', { kind, target, count: SAMPLES, concurrency: 1, limitMs })).p50
}

/** MB/s; a slow rival moves less, so that it does not take minutes. */
async function rate(context: Context, way: Way, direction: Direction): Promise<number> {
  const move = async (bytes: number): Promise<number> => {
    const request = { target: way.target('traffic')!, direction, flows: 1, bytes, hashed: false, limitMs: LIMIT_MS }
    const result = await way.generator.order('transfer', request)
    return result.bytes / 1000 / result.ms
  }
  const trial = await move(TRIAL_BYTES)
  const most = context.quick ? QUICK_BYTES : BYTES
  return move(Math.min(most, Math.ceil(trial * 1e6 * LONGEST_S)))
}

/** The other goal: how many times faster than what people use today. */
function againstSshuttle(what: string, results: Map<Way, number[]>): Row[] {
  const of = (name: string): number[] => [...results].find(([way]) => way.name === name)?.[1] ?? []
  if (of(SSHUTTLE).length === 0 || of(KT).length === 0) return []
  const where = { case: 'distance', what: `${what}: ${KT} against ${SSHUTTLE}`, unit: 'MB/s' }
  return [row(where, spread(of(KT)), { baseline: spread(of(SSHUTTLE)).median, goal: { of: 'ratio', least: 10 } })]
}

function compare(what: string, unit: string, results: Map<Way, number[]>, goal: Goal): Row[] {
  let baseline: number | undefined
  return [...results].flatMap(([way, samples]) => {
    if (samples.length === 0) return []
    const value = spread(samples)
    const of = row(
      { case: 'distance', what: `${what}: ${way.name}`, unit },
      value,
      way.name === KT ? { baseline, goal } : { baseline }
    )
    baseline ??= value.median
    return of
  })
}
