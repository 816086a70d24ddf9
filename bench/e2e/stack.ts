// TUN and stack alone against the kernel's TCP: CPU seconds per GiB of this side's process, and MB/s.
// node bench/e2e/stack.ts [seconds per row]

import { CLUSTER } from '../../test/_support/laptop.ts'
import { Namespace, whyNoNamespace } from '../../test/_support/netns.ts'

const GIB = 2 ** 30
/** 'up freed': the reader frees its chunks itself; 'up': the garbage collector does. */
const PORTS = { 'up freed': 9, up: 10, down: 19 } as const
const ROUNDS = 3
/** How the kernel paces what it sends to us: bbr in smaller bursts, which cost more. A namespace may choose among these everywhere. */
const CONGESTION_CONTROLS = ['reno', 'bbr']

interface Measurement {
  bytes: number
  cpuSeconds: number
  collections: number
  collectionMs: number
  rssMiB: number
}

const reason = whyNoNamespace()
if (reason !== undefined) {
  console.log(`stack: skipped, ${reason}`)
  process.exit()
}
const ms = Number(process.argv[2] ?? 2) * 1000

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

for (const offload of [true, false]) {
  const namespace = new Namespace()
  try {
    const server = namespace.fork(new URL('./stack-server.ts', import.meta.url))
    const client = namespace.fork(new URL('./stack-client.ts', import.meta.url))
    await server.call('start', offload)
    for (const control of CONGESTION_CONTROLS) {
      namespace.exec('sysctl', '-qw', `net.ipv4.tcp_congestion_control=${control}`)
      for (const [direction, family, flows] of [
        ['up freed', 4, 1],
        ['up', 4, 1],
        ['down', 4, 1],
        ['up freed', 4, 16],
        ['up', 4, 16],
        ['down', 4, 16],
        ['up freed', 6, 1],
        ['down', 6, 1]
      ] as const) {
        const cpu: number[] = []
        const speed: number[] = []
        let collections = ''
        for (let round = 0; round < ROUNDS; round++) {
          const before = await server.call<Measurement>('measure')
          const { seconds } = await client.call<{ seconds: number }>(
            'transfer',
            direction === 'down' ? 'down' : 'up',
            CLUSTER[family],
            PORTS[direction],
            flows,
            ms
          )
          const after = await server.call<Measurement>('measure')
          const gib = (after.bytes - before.bytes) / GIB
          cpu.push((after.cpuSeconds - before.cpuSeconds) / gib)
          speed.push((gib * GIB) / 1e6 / seconds)
          const gcMs = (after.collectionMs - before.collectionMs) / gib
          collections = `${((after.collections - before.collections) / gib).toFixed(0)} GCs/GiB ${gcMs.toFixed(1)} ms/GiB, rss ${after.rssMiB.toFixed(0)} MiB`
        }
        console.log(
          `${offload ? 'offload' : 'plain  '} ${control.padEnd(5)} IPv${family} ${direction.padEnd(8)} ${String(flows).padStart(2)} flows:`,
          `${median(cpu).toFixed(2)} CPU s/GiB (${cpu.map(value => value.toFixed(2)).join(' ')}),`,
          `${median(speed).toFixed(0)} MB/s, ${collections}`
        )
      }
    }
  } finally {
    await namespace.remove()
  }
}
