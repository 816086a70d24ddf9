import test from 'ava'
import { IDLE_MS, MAX_FLOWS } from '../../lib/udp/flows.ts'
import { setU16 } from '../../lib/wire/bytes.ts'
import { datagram, ENDS, ENDS6 } from '../_support/packets.ts'
import { rig } from './_stack.ts'

const bytes = (length: number, seed = 1): Uint8Array => new Uint8Array(length).map((_, i) => (i * 13 + seed) & 0xff)

test('the first datagram makes a flow, further ones belong to it, answers go back', async t => {
  for (const ends of [ENDS, ENDS6]) {
    const { device, flows, lines, stack } = rig(t)
    const got: Uint8Array[] = []
    device.inject(datagram(ends, bytes(0)))
    t.is(stack.stats.datagramsDropped, 1, 'nobody takes it')
    const flow = flows[0]!
    const { source, sourcePort, destination, destinationPort } = flow
    t.deepEqual({ source, sourcePort, destination, destinationPort }, ends)
    flow.onDatagram = datagram => got.push(datagram)
    device.inject(datagram(ends, bytes(0)), datagram(ends, bytes(1400)), datagram(ends, bytes(7)))
    t.deepEqual(got, [bytes(0), bytes(1400), bytes(7)])
    t.is(flows.length, 1)
    t.true(flow.send(bytes(3)))
    t.true(flow.send(bytes(0)))
    const answer = `${ends === ENDS ? 'IP' : 'IP6'} ${ends.destination}.80 > ${ends.source}.40000: UDP, length`
    t.deepEqual(await lines(), [`${answer} 3`, `${answer} 0`])
  }
})

test('a super-datagram is several datagrams', t => {
  const { device, flows } = rig(t)
  device.inject(datagram(ENDS, bytes(1)))
  const got: Uint8Array[] = []
  flows[0]!.onDatagram = datagram => got.push(datagram)
  device.inject({ packet: datagram(ENDS, bytes(3500)), segmentSize: 1000 })
  t.deepEqual(
    got.map(one => one.length),
    [1000, 1000, 1000, 500]
  )
  t.deepEqual(Buffer.concat(got), Buffer.from(bytes(3500)))
})

test('a datagram longer than the MTU: in one piece with offload, in fragments without', async t => {
  for (const ends of [ENDS, ENDS6]) {
    for (const [offload, mtu, count] of [
      [true, 1500, 1],
      [false, 1500, 14]
    ] as const) {
      const { device, flows, sent } = rig(t, { offload, mtu })
      device.inject(datagram(ends, bytes(1)))
      t.true(flows[0]!.send(bytes(20_000)))
      t.is(sent.length, count)
      if (!offload) t.true(sent.every(({ packet }) => packet.length <= mtu))
      // What was cut up goes together again, in any order: by the other side's way in.
      const other = rig(t)
      let got = new Uint8Array(0)
      for (const { packet } of sent.toReversed()) other.device.inject(packet)
      t.is(other.flows.length, 1)
      other.flows[0]!.onDatagram = datagram => {
        got = new Uint8Array(datagram)
      }
      for (const { packet } of sent) other.device.inject(packet)
      t.deepEqual(got, bytes(20_000) as typeof got)
      t.is(other.stack.stats.fragments, offload ? 0 : 28)
    }
  }
})

test('the longest datagrams are sent, one byte more is not', t => {
  for (const [ends, most] of [
    [ENDS, 65_507],
    [ENDS6, 65_527]
  ] as const) {
    const { device, flows, stack } = rig(t)
    device.inject(datagram(ends, bytes(1)))
    t.true(flows[0]!.send(new Uint8Array(most)))
    t.false(flows[0]!.send(new Uint8Array(most + 1)))
    t.is(stack.stats.packetsOut, 1)
  }
})

test('unreachable tells the port; a closed flow sends nothing and begins anew', async t => {
  for (const [ends, line] of [
    [ENDS, 'IP 10.96.0.7 > 198.18.0.1: ICMP unreachable, code 3, length 36'],
    [ENDS6, 'IP6 fd00:96::7 > fd6b:7400::1: ICMP6 unreachable, code 4, length 56']
  ] as const) {
    const { device, flows, lines, stack } = rig(t)
    device.inject(datagram(ends, bytes(1)))
    flows[0]!.onClose = () => t.fail('close was ours')
    flows[0]!.unreachable()
    t.deepEqual(await lines(), [line])
    flows[0]!.close()
    flows[0]!.close()
    t.false(flows[0]!.send(bytes(1)))
    t.is(stack.size.flows, 0)
    device.inject(datagram(ends, bytes(1)))
    t.is(flows.length, 2)
  }
})

test('an idle flow ends, one in use does not', async t => {
  const { device, flows, clock, stack, lines } = rig(t)
  device.inject(datagram(ENDS, bytes(1)), datagram({ ...ENDS, sourcePort: 2 }, bytes(1)))
  await lines()
  const closed: number[] = []
  for (const [i, flow] of flows.entries()) flow.onClose = () => closed.push(i)
  clock.advance(IDLE_MS - 1)
  flows[1]!.send(bytes(1))
  clock.advance(1)
  t.deepEqual(closed, [0])
  clock.advance(IDLE_MS)
  t.deepEqual(closed, [0, 1])
  t.is(stack.size.flows, 0)
  t.is(clock.timers, 0)
})

test('flows are bounded: the one that was idle longest goes', t => {
  const { device, flows, stack } = rig(t)
  for (let i = 0; i <= MAX_FLOWS; i++) {
    device.inject(datagram({ ...ENDS, sourcePort: 1024 + i }, bytes(1)))
    if (i === 0) flows[0]!.onClose = () => t.fail('it was used in between')
    if (i === 1) flows[1]!.onClose = () => t.pass()
    if (i === 2) device.inject(datagram({ ...ENDS, sourcePort: 1024 }, bytes(1)))
  }
  t.plan(3)
  t.is(stack.size.flows, MAX_FLOWS)
  t.is(stack.stats.flowsEvicted, 1)
})

test('multicast, broadcast and malformed datagrams make no flow', t => {
  const { device, flows, stack } = rig(t)
  const short = datagram(ENDS, bytes(10))
  setU16(short, 24, 3)
  const long = datagram(ENDS, bytes(10))
  setU16(long, 24, 1000)
  device.inject(
    datagram({ ...ENDS, destination: '224.0.0.251' }, bytes(1)),
    datagram({ ...ENDS, destination: '255.255.255.255' }, bytes(1)),
    datagram({ ...ENDS, source: '0.0.0.0' }, bytes(1)),
    datagram({ ...ENDS6, destination: 'ff02::fb' }, bytes(1)),
    datagram({ ...ENDS6, source: '::' }, bytes(1)),
    datagram({ ...ENDS, destinationPort: 0 }, bytes(1)),
    short,
    long
  )
  t.is(flows.length, 0)
  t.is(stack.stats.ignored, 6)
  t.is(stack.stats.malformed, 2)
})
