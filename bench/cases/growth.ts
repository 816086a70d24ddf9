// What more connections cost, and whether anything grows with time.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Case, Context } from '../harness/case.ts'
import { openFiles, processes, residentBytes, startCpuClock, startPeak } from '../harness/cpu.ts'
import { type Goal, type Row, row } from '../harness/rows.ts'
import { type Spread, spread, unpaired } from '../harness/statistics.ts'
import type { Testbed } from '../harness/testbed.ts'
import { undoable } from '../harness/undo.ts'
import type { Direction } from '../traffic/transfer.ts'
import { openKt } from '../ways/kt.ts'
import type { Way } from '../ways/way.ts'

const CONNECTIONS = [1, 10, 100, 1000, 5000]
const QUICK_CONNECTIONS = [1, 100]
const MIB = 2 ** 20
const BYTES = 256 * MIB
const QUICK_BYTES = 16 * MIB
/** Flows at once that move bulk, and how much together: until nothing grows any more. */
const BUSY_FLOWS = 64
const BUSY_BYTES = 1024 * MIB
const LIMIT_MS = 60_000
/** Dials under way at once while connections are opened. */
const AT_ONCE = 64
/** After the last connection is open, before memory is read. */
const SETTLE_MS = 1000
const SAMPLE_MS = 10_000
/** What thousands of connections have left behind is given back by then: memory that was not needed for five seconds. */
const FREE_MS = 11_000
/** DESIGN.md §4. */
const CLIENT_MB: Goal = { of: 'value', most: 150 }
const AGENT_MB: Goal = { of: 'value', most: 96 }

export const growth: Case = {
  name: 'growth',
  title: 'cost by connection and by GiB, memory of client and agent, as connections and time grow',
  run: async context => {
    const bed = await context.testbed()
    const kt = await openKt(bed)
    const close = undoable(() => kt.close())
    try {
      const subject = new Subject(bed, kt, await agentPids(bed))
      const rows: Row[] = []
      for (const connections of context.quick ? QUICK_CONNECTIONS : CONNECTIONS) {
        context.progress(`growth: ${connections} connections`)
        rows.push(...(await subject.atSize(connections, context.quick ? QUICK_BYTES : BYTES)))
      }
      await subject.hold(0)
      if (!context.quick) await sleep(FREE_MS)
      for (const direction of ['down', 'up', 'both'] as const) {
        context.progress(`growth: ${BUSY_FLOWS} flows, ${direction}`)
        rows.push(...(await subject.busy(direction, context.quick ? QUICK_BYTES : BUSY_BYTES)))
      }
      if (context.soakMs > 0) rows.push(...(await subject.soak(context)))
      return rows
    } finally {
      await close()
    }
  }
}

async function agentPids(bed: Testbed): Promise<number[]> {
  const uids = await bed.shadowUids()
  return processes()
    .filter(({ name, cgroup }) => name !== 'pause' && uids.some(uid => cgroup.includes(uid)))
    .map(({ pid }) => pid)
}

/** kt and its agent, while something is done to them. */
class Subject {
  readonly #bed: Testbed
  readonly #kt: Way
  readonly #agents: number[]

  constructor(bed: Testbed, kt: Way, agents: number[]) {
    this.#bed = bed
    this.#kt = kt
    this.#agents = agents
  }

  async hold(connections: number): Promise<{ held: number; failed: number; ms: number }> {
    const target = this.#kt.target('traffic')!
    return this.#kt.generator.order('hold', { target, connections, concurrency: AT_ONCE, limitMs: LIMIT_MS })
  }

  /** Open so many, read the memory, move bytes beside them. */
  async atSize(connections: number, bytes: number): Promise<Row[]> {
    await this.hold(0)
    const parts = await this.#bed.parts(this.#kt)
    const opening = startCpuClock(parts)
    const { held, failed, ms } = await this.hold(connections)
    const opened = opening()
    await sleep(SETTLE_MS)
    const [client, agent] = this.#memory()
    const moving = startCpuClock(parts)
    const target = this.#kt.target('traffic')!
    const request = { target, direction: 'down' as const, flows: 1, bytes, hashed: false, limitMs: LIMIT_MS }
    const moved = await this.#kt.generator.order('transfer', request)
    const cpu = moving()
    const say = (what: string, unit: string, value: number, goal?: Goal): Row =>
      row({ case: 'growth', what: `${what}: ${connections} connections`, unit }, exactly(value), { goal })
    return [
      say('connections that failed', 'failed', failed + connections - held, { of: 'value', most: 0 }),
      say('time to open one', 'ms', ms / connections),
      say('client CPU to open one', 'µs', (opened.client! / connections) * 1e6),
      say('agent CPU to open one', 'µs', (opened.agent! / connections) * 1e6),
      say('memory of the client', 'MB', client / 1e6, CLIENT_MB),
      say('memory of the agent', 'MB', agent / 1e6, AGENT_MB),
      say('one flow down beside them', 'MB/s', moved.bytes / 1000 / moved.ms),
      say('client CPU of that flow', 's/GiB', (cpu.client! / moved.bytes) * 2 ** 30),
      say('agent CPU of that flow', 's/GiB', (cpu.agent! / moved.bytes) * 2 ** 30)
    ]
  }

  /** The most memory while many flows move bytes at once. */
  async busy(direction: Direction, bytes: number): Promise<Row[]> {
    const target = this.#kt.target('traffic')!
    const [client, agent] = [startPeak(this.#kt.pids), startPeak(this.#agents)]
    const flows = BUSY_FLOWS
    await this.#kt.generator.order('transfer', { target, direction, flows, bytes, hashed: false, limitMs: LIMIT_MS })
    const say = (who: string, most: number, goal: Goal): Row => {
      const what = `most memory of the ${who}: ${flows} flows, ${direction}`
      return row({ case: 'growth', what, unit: 'MB' }, exactly(most / 1e6), { goal })
    }
    return [say('client', client(), CLIENT_MB), say('agent', agent(), AGENT_MB)]
  }

  #memory(): [client: number, agent: number] {
    return [residentBytes(this.#kt.pids), residentBytes(this.#agents)]
  }

  /** Mixed traffic for a long time: memory and files of the last quarter against those of the second one. */
  async soak(context: Context): Promise<Row[]> {
    const samples: { client: number; agent: number; files: number }[] = []
    const until = performance.now() + context.soakMs
    const traffic = this.#mixedTraffic(until)
    while (performance.now() < until) {
      await sleep(Math.min(SAMPLE_MS, context.soakMs / 20))
      const [client, agent] = this.#memory()
      samples.push({ client: client / 1e6, agent: agent / 1e6, files: openFiles(this.#kt.pids[0]!) })
      context.progress(`growth: soak, ${Math.round((until - performance.now()) / 1000)} s left`)
    }
    await traffic
    // The first quarter is left out: caches and the heap take their size then.
    const quarter = samples.length >> 2
    return (
      [
        ['memory of the client', 'MB', 'client', 1.1],
        ['memory of the agent', 'MB', 'agent', 1.1],
        ['open files of the client', 'files', 'files', 1]
      ] as const
    ).map(([what, unit, of, most]) => {
      const values = samples.map(sample => sample[of])
      const end = spread(values.slice(-quarter))
      const against = unpaired(end, spread(values.slice(quarter, 2 * quarter)))
      const where = { case: 'growth', what: `${what}, end of the soak against its beginning`, unit }
      return row(where, end, { against, goal: { of: 'ratio', most } })
    })
  }

  async #mixedTraffic(until: number): Promise<void> {
    const { generator } = this.#kt
    const target = this.#kt.target('traffic')!
    const small = { concurrency: 8, limitMs: 2000, count: 500 }
    while (performance.now() < until) {
      const common = { target, bytes: 64 * MIB, hashed: true, limitMs: LIMIT_MS }
      await generator.order('transfer', { ...common, direction: 'down', flows: 4 })
      await generator.order('transfer', { ...common, direction: 'up', flows: 4 })
      await generator.order('roundTrips', { ...small, kind: 'connect', target })
      await generator.order('roundTrips', { ...small, kind: 'datagram', target: this.#kt.target('udp')! })
    }
  }
}

function exactly(value: number): Spread {
  return { median: value, min: value, max: value }
}
