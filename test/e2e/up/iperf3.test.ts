// iperf3 as it is, over TCP and UDP, in both directions, alone and sixteen at once.
import test from 'ava'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { program } from './_support/program.ts'

const BUSY_MS = 10_000

let kt: RunningKt | undefined

test.before(async () => {
  kt = await startKt(['--namespace', 'demo'])
})
test.after.always(async () => {
  await kt?.stop()
})

interface Iperf {
  end: {
    sum_sent: { bytes: number; bits_per_second: number }
    sum_received: { bytes: number; bits_per_second: number }
    sum: { bytes: number; packets: number; lost_packets: number; bits_per_second: number }
  }
  error?: string
}

/** The server takes one client at a time, and is a moment late to notice that the last one has gone. */
async function iperf(...args: string[]): Promise<Iperf> {
  const limit = performance.now() + BUSY_MS
  let result: Iperf
  do result = JSON.parse(await program('iperf3', '-c', 'iperf3', '-J', '-t', '2', ...args)) as Iperf
  while (result.error?.includes('busy') && performance.now() < limit)
  if (result.error !== undefined) throw new Error(`iperf3 ${args.join(' ')}: ${result.error}`)
  return result
}

for (const args of [[], ['-R'], ['-P', '16'], ['-P', '16', '-R']]) {
  test.serial(`iperf3 over TCP: ${args.join(' ') || 'up'}`, async t => {
    const { sum_sent: sent, sum_received: received } = (await iperf(...args)).end
    t.log(`${(received.bits_per_second / 1e6).toFixed(0)} Mbit/s`)
    t.true(received.bytes > 1e6, `${received.bytes} bytes of ${sent.bytes}`)
  })
}

for (const args of [[], ['-R'], ['-P', '16'], ['-P', '16', '-R']]) {
  test.serial(`iperf3 over UDP: ${args.join(' ') || 'up'}`, async t => {
    const rate = args.includes('16') ? '2M' : '20M'
    const { sum } = (await iperf('-u', '-w', '1M', '-b', rate, ...args)).end
    t.log(`${(sum.bits_per_second / 1e6).toFixed(1)} Mbit/s, ${sum.lost_packets} of ${sum.packets} datagrams lost`)
    t.true(sum.packets > 1000, `${sum.packets} datagrams`)
    // Who sends and receives without a pause loses nothing; a busy machine makes pauses longer than the sockets' buffers.
    t.true(sum.lost_packets <= sum.packets / 20, `${sum.lost_packets} of ${sum.packets} lost`)
  })
}
