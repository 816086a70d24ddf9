// TUN and our TCP against the kernel's, without a tunnel behind them; for round trips the kernel alone is the baseline.
import { type ChildProcess, spawn } from 'node:child_process'
import { CLUSTER } from '../../test/_support/laptop.ts'
import { Namespace, whyNoNamespace } from '../../test/_support/netns.ts'
import { endEnd, startEnd } from '../ends/end.ts'
import type { Case, Context } from '../harness/case.ts'
import { startCpuClock } from '../harness/cpu.ts'
import { Generator } from '../harness/generator.ts'
import { type Row, row } from '../harness/rows.ts'
import { spread, unpaired } from '../harness/statistics.ts'
import { undoable } from '../harness/undo.ts'
import { TRAFFIC_PORT } from '../traffic/ports.ts'

const GIB = 2 ** 30
/** How the kernel paces what it sends into the TUN: bbr in smaller bursts, which cost more. */
const CONGESTION_CONTROLS = ['reno', 'bbr']
/** Ports of e2e/stack-server.ts; its sink frees what it has read, as the tunnel does. */
const PORTS = { down: 19, up: 9 } as const
/** CPU seconds per GiB with offload, DESIGN.md §4. */
const MOST = { down: 0.25, up: 0.2 }
const ECHOES = 20_000
/** Echoes at once while the CPU of a packet is measured: one alone would measure how a process falls asleep. */
const AT_ONCE = 16
/** An echo is a packet in and a packet out; acknowledgements ride on them. */
const PACKETS_OF_ECHO = 2
/** Issue 4: what the TUN may add to a local round trip, and the CPU of a small packet. */
const ADDED_MS = 0.06
const PACKET_US = 10

export const stack: Case = {
  name: 'stack',
  title: 'TUN and TCP of this process against the kernel, without a tunnel behind them',
  run: async context => {
    const reason = whyNoNamespace()
    if (reason !== undefined) {
      context.note(`stack: not measured, ${reason}`)
      return []
    }
    const rows: Row[] = []
    for (const offload of [true, false]) {
      rows.push(...(await inNamespace(namespace => bulk(context, namespace, offload))))
    }
    const kernel = await inNamespace(namespace => echoes(context, namespace, 'kernel-end', [], '127.0.0.1'))
    rows.push(...echoRows('kernel over loopback', kernel))
    for (const mode of ['offload', 'plain']) {
      const ours = await inNamespace(namespace => echoes(context, namespace, 'stack-end', [mode], CLUSTER[4]))
      rows.push(...echoRows(mode, ours, kernel))
    }
    return rows
  }
}

async function inNamespace<T>(run: (namespace: Namespace) => Promise<T>): Promise<T> {
  const namespace = new Namespace()
  const remove = undoable(() => namespace.remove())
  try {
    return await run(namespace)
  } finally {
    await remove()
  }
}

/** What e2e/stack-server.ts counts. */
interface Counted {
  bytes: number
  cpuSeconds: number
}

async function bulk(context: Context, namespace: Namespace, offload: boolean): Promise<Row[]> {
  const server = namespace.fork(new URL('../e2e/stack-server.ts', import.meta.url))
  const client = namespace.fork(new URL('../e2e/stack-client.ts', import.meta.url))
  await server.call('start', offload)
  const rows: Row[] = []
  const mode = offload ? 'offload' : 'plain'
  for (const control of CONGESTION_CONTROLS) {
    namespace.exec('sysctl', '-qw', `net.ipv4.tcp_congestion_control=${control}`)
    for (const direction of ['down', 'up'] as const) {
      for (const flows of [1, 16]) {
        const rates: number[] = []
        const cpus: number[] = []
        const what = `${direction}, ${flows} ${flows === 1 ? 'flow' : 'flows'}, ${control}: ${mode}`
        for (let round = 1; round <= context.rounds; round++) {
          context.progress(`stack: ${what}, round ${round}`)
          const before = await server.call<Counted>('measure')
          const args = [direction, CLUSTER[4], PORTS[direction], flows, context.seconds * 1000]
          const { seconds } = await client.call<{ seconds: number }>('transfer', ...args)
          const after = await server.call<Counted>('measure')
          const bytes = after.bytes - before.bytes
          rates.push(bytes / 1e6 / seconds)
          cpus.push(((after.cpuSeconds - before.cpuSeconds) / bytes) * GIB)
        }
        const goal = offload ? { of: 'value' as const, most: MOST[direction] } : undefined
        rows.push(row({ case: 'stack', what, unit: 'MB/s' }, spread(rates)))
        rows.push(row({ case: 'stack', what: `CPU, ${what}`, unit: 's/GiB' }, spread(cpus), { goal }))
      }
    }
  }
  return rows
}

/** Of each round. */
interface Echoes {
  p50: number[]
  cpuOfPacketUs: number[]
}

async function echoes(
  context: Context,
  namespace: Namespace,
  program: string,
  args: string[],
  host: string
): Promise<Echoes> {
  let end: ChildProcess | undefined
  const generator = new Generator(of =>
    spawn('ip', ['netns', 'exec', namespace.name, process.execPath, ...of], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
  )
  const result: Echoes = { p50: [], cpuOfPacketUs: [] }
  try {
    end = await startEnd(namespace.name, program, args)
    const { pid } = end
    for (let round = 1; round <= context.rounds; round++) {
      context.progress(`stack: echo, ${program} ${args}, round ${round}`)
      const limitMs = context.seconds * 1000
      const request = { kind: 'echo', target: { host, port: TRAFFIC_PORT }, count: ECHOES, limitMs } as const
      const { p50 } = await generator.order('roundTrips', { ...request, concurrency: 1 })
      const cpu = startCpuClock({ end: each => each.pid === pid })
      const { samples } = await generator.order('roundTrips', { ...request, concurrency: AT_ONCE })
      result.p50.push(p50)
      result.cpuOfPacketUs.push((cpu().end! / samples / PACKETS_OF_ECHO) * 1e6)
    }
    return result
  } finally {
    generator.close()
    if (end) await endEnd(end)
  }
}

function echoRows(name: string, ours: Echoes, kernel?: Echoes): Row[] {
  const [p50, cpu] = [spread(ours.p50), spread(ours.cpuOfPacketUs)]
  const rows = [
    row({ case: 'stack', what: `echo of 64 bytes, p50: ${name}`, unit: 'ms' }, p50, {
      against: kernel && unpaired(p50, spread(kernel.p50))
    }),
    row({ case: 'stack', what: `CPU of a small packet: ${name}`, unit: 'µs' }, cpu, {
      against: kernel && unpaired(cpu, spread(kernel.cpuOfPacketUs)),
      goal: kernel === undefined ? undefined : { of: 'value', most: PACKET_US }
    })
  ]
  if (kernel === undefined) return rows
  const loopback = spread(kernel.p50).median
  const added = spread(ours.p50.map(time => time - loopback))
  const goal = { of: 'value', most: ADDED_MS } as const
  return [...rows, row({ case: 'stack', what: `added to a round trip: ${name}`, unit: 'ms' }, added, { goal })]
}
