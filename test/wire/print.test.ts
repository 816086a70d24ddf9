import test from 'ava'
import { setU16 } from '../../lib/wire/bytes.ts'
import { ICMP, ICMPV6 } from '../../lib/wire/ip.ts'
import { printPacket } from '../../lib/wire/print.ts'
import { ACK, FIN, PSH, RST, SYN } from '../../lib/wire/tcp.ts'
import { datagram, ENDS, ENDS6, packet, segment } from '../_support/packets.ts'

const print = (bytes: Uint8Array): string => printPacket(bytes, 0, bytes.length)

test('one line per packet, as tcpdump prints it', t => {
  const options = Uint8Array.from([2, 4, 5, 0xb4, 4, 2, 1, 1, 1, 3, 3, 7])
  t.is(
    print(segment(ENDS, SYN, -1, 0, { options })),
    'IP 198.18.0.1.40000 > 10.96.0.7.80: Flags [S], seq 4294967295, win 65535, options [mss 1460,sackOK,wscale 7], length 0'
  )
  t.is(
    print(segment(ENDS6, PSH | ACK, 4294967290, 7, { text: new Uint8Array(10), wnd: 5 })),
    'IP6 fd6b:7400::1.40000 > fd00:96::7.80: Flags [P.], seq 4294967290:4, ack 7, win 5, length 10'
  )
  t.is(
    print(segment(ENDS, FIN | ACK, 1, 2)),
    'IP 198.18.0.1.40000 > 10.96.0.7.80: Flags [F.], seq 1, ack 2, win 65535, length 0'
  )
  t.is(print(segment(ENDS, RST, 1, 0)), 'IP 198.18.0.1.40000 > 10.96.0.7.80: Flags [R], seq 1, win 65535, length 0')
  t.is(print(datagram(ENDS6, new Uint8Array(9))), 'IP6 fd6b:7400::1.40000 > fd00:96::7.80: UDP, length 9')
  const tooBig = new Uint8Array(16)
  tooBig.set([3, 4])
  setU16(tooBig, 6, 1400)
  t.is(print(packet(ENDS, ICMP, tooBig)), 'IP 198.18.0.1 > 10.96.0.7: ICMP fragmentation needed, mtu 1400, length 16')
  tooBig.set([2, 0])
  t.is(print(packet(ENDS6, ICMPV6, tooBig)), 'IP6 fd6b:7400::1 > fd00:96::7: ICMP6 packet too big, mtu 1400, length 16')
  t.is(print(packet(ENDS, 47, new Uint8Array(4))), 'IP 198.18.0.1 > 10.96.0.7: protocol 47, length 4')
})

test('what is none', t => {
  t.is(print(new Uint8Array(0)), 'malformed packet, length 0')
  t.is(print(new Uint8Array(50)), 'malformed packet, length 50')
  t.is(print(packet(ENDS, 6, new Uint8Array(19))), 'IP 198.18.0.1 > 10.96.0.7: malformed TCP')
  t.is(print(packet(ENDS, 17, new Uint8Array(7))), 'IP 198.18.0.1 > 10.96.0.7: malformed UDP')
})
