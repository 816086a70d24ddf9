import test from 'ava'
import { setU16 } from '../../lib/wire/bytes.ts'
import { add, finish } from '../../lib/wire/checksum.ts'
import { ICMP, ICMPV6, pseudoHeaderSum } from '../../lib/wire/ip.ts'
import { addresses, ENDS, ENDS6, type Ends, packet } from '../_support/packets.ts'
import { rig } from './_stack.ts'

function echo(ends: Ends, type: number, length: number): Uint8Array {
  const message = new Uint8Array(8 + length).map((_, i) => i)
  message.set([type, 0, 0, 0, 0, 9, 0, 1])
  const v6 = ends === ENDS6
  const sum = v6 ? pseudoHeaderSum(addresses(ends), ICMPV6) + message.length : 0
  setU16(message, 2, finish(add(sum, message, 0, message.length)))
  return packet(ends, v6 ? ICMPV6 : ICMP, message)
}

test('a ping is answered when the owner says so, even later', async t => {
  for (const [ends, type, line] of [
    [ENDS, 8, 'IP 10.96.0.7 > 198.18.0.1: ICMP echo reply, id 9, seq 1, length 64'],
    [ENDS6, 128, 'IP6 fd00:96::7 > fd6b:7400::1: ICMP6 echo reply, id 9, seq 1, length 64']
  ] as const) {
    const { device, echoes, lines } = rig(t)
    device.inject(echo(ends, type, 56))
    t.deepEqual(await lines(), [])
    t.is(echoes[0]!.source, ends.source)
    t.is(echoes[0]!.destination, ends.destination)
    echoes[0]!.reply()
    t.deepEqual(await lines(), [line])
  }
})

test('other ICMP, and pings to many, are ignored', async t => {
  const { device, echoes, lines, stack } = rig(t)
  device.inject(
    echo(ENDS, 0, 10), // a reply
    echo(ENDS6, 133, 10), // router solicitation
    echo(ENDS6, 135, 16), // neighbour solicitation
    echo(ENDS6, 143, 10), // multicast listener report
    echo({ ...ENDS, destination: '224.0.0.1' }, 8, 10),
    packet(ENDS, ICMPV6, new Uint8Array(20)),
    packet(ENDS, 47, new Uint8Array(20))
  )
  t.is(stack.stats.ignored, 7)
  device.inject(packet(ENDS, ICMP, new Uint8Array(7)))
  t.is(stack.stats.malformed, 1)
  t.deepEqual(echoes, [])
  t.deepEqual(await lines(), [])
})
