// SYN_RECEIVED: from the accepted SYN to the ACK of our SYN|ACK.
import test from 'ava'
import { answerWithReset, refuseSyn } from '../../lib/tcp/reset.ts'
import { seqAdd } from '../../lib/tcp/seq.ts'
import { ACK, HEADER_LENGTH, RST, SYN, TcpView } from '../../lib/wire/tcp.ts'
import { build, format, IRS, ISS, script } from './_script.ts'

const SYN_ACK = 'S. 0:0(0) ack 1 win 1000 <mss 100>'

test('SYN_RECEIVED: answers with SYN|ACK and is ESTABLISHED by its ACK', t => {
  script(t).out(SYN_ACK).out().in('. 1 ack 1').out().is('ESTABLISHED')
})

test('SYN_RECEIVED: window scale is answered if the peer offers it, and the SYN|ACK itself is not scaled', t => {
  script(t, { windowScale: 3, receiveLimit: 1 << 20 })
    .out('S. 0:0(0) ack 1 win 65535 <mss 100,wscale 7>')
    .in('. 1 ack 1')
    .in('P. 1 ack 1', 'x')
    .out('. 1:1(0) ack 2 win 2047')
})

test('SYN_RECEIVED: without the peer’s option no window is scaled, in either direction', t => {
  script(t, { receiveLimit: 1 << 20, mss: 500, ownMss: 500, maxSegment: 500 })
    .out('S. 0:0(0) ack 1 win 65535 <mss 500>')
    .in('. 1 ack 1 win 100')
    .send(500)
    .out()
    .at(1000)
    .out('. 1:101(100) ack 1 win 65535')
})

test('SYN_RECEIVED: the peer’s window is scaled from the first ACK on', t => {
  script(t, { windowScale: 3, wnd: 100, receiveLimit: 12_800 })
    .out('S. 0:0(0) ack 1 win 12800 <mss 100,wscale 7>')
    .in('. 1 ack 1 win 25') // 200 bytes
    .send(300)
    .out('. 1:101(100) ack 1 win 100', '. 101:201(100) ack 1 win 100')
})

test('SYN_RECEIVED: the SYN|ACK is sent again after 1, 2, 4 … seconds', t => {
  const s = script(t).out(SYN_ACK)
  for (const due of [1000, 3000, 7000, 15_000]) {
    s.at(due - 1)
      .out()
      .at(due)
      .out(SYN_ACK)
  }
  t.is(s.endpoint.retransmits, 4)
})

test('SYN_RECEIVED: the SYN once more brings the SYN|ACK at once', t => {
  script(t).out(SYN_ACK).in('S 0').out(SYN_ACK).in('. 1 ack 1').is('ESTABLISHED')
})

test('SYN_RECEIVED: another SYN is challenged', t => {
  script(t).out(SYN_ACK).in('S 77').out('. 1:1(0) ack 1 win 1000').is('SYN_RECEIVED')
})

test('SYN_RECEIVED: gives up after the user timeout, and says so to the peer', t => {
  const s = script(t, { userTimeoutMs: 5000 }).out(SYN_ACK).at(1000)
  s.drain()
  s.at(3000).drain()
  t.is(s.endpoint.deadline, 6000)
  s.at(6000).is('CLOSED', 'timeout').out('R. 1:1(0) ack 1 win 0').out()
  t.is(s.endpoint.deadline, Infinity)
})

test('SYN_RECEIVED: an ACK of what was never sent is answered with RST, and the connection waits on', t => {
  script(t)
    .out(SYN_ACK)
    .in('. 1 ack 7')
    .out('R 7:7(0) win 0')
    .is('SYN_RECEIVED')
    .in('. 1 ack 0')
    .out('R 0:0(0) win 0')
    .is('SYN_RECEIVED')
    .in('. 1 ack 1')
    .is('ESTABLISHED')
})

test('SYN_RECEIVED: RST ends it', t => {
  script(t).out(SYN_ACK).in('R 1').out().is('CLOSED', 'reset')
})

test('SYN_RECEIVED: text and FIN may come with the ACK', t => {
  script(t).out(SYN_ACK).in('FP. 1 ack 1', 'all').out('. 1:1(0) ack 5 win 996').is('CLOSE_WAIT').reads('all')
})

test('SYN_RECEIVED: what is sent waits for ESTABLISHED', t => {
  script(t).out(SYN_ACK).send('early').out().in('. 1 ack 1').out('P. 1:6(5) ack 1 win 1000')
})

test('SYN_RECEIVED: a shutdown waits for ESTABLISHED', t => {
  script(t)
    .out(SYN_ACK)
    .send('bye')
    .shutdown()
    .is('SYN_RECEIVED')
    .out()
    .in('. 1 ack 1')
    .is('FIN_WAIT_1')
    .out('FP. 1:4(3) ack 1 win 1000')
})

test('SYN_RECEIVED: after a second SYN|ACK the RTO starts at three seconds (RFC 6298 §5.7)', t => {
  const s = script(t).out(SYN_ACK).at(1000).out(SYN_ACK).in('. 1 ack 1').send('x').out('P. 1:2(1) ack 1 win 1000')
  t.is(s.endpoint.deadline, 4000)
})

test('SYN_RECEIVED: abort sends RST', t => {
  script(t).out(SYN_ACK).abort().is('CLOSED', 'aborted').out('R. 1:1(0) ack 1 win 0').out()
})

test('an MSS below 48 is taken as 48', t => {
  t.is(script(t, { mss: 0 }).endpoint.mss, 48)
  t.is(script(t, { mss: 1, maxSegment: 100 }).endpoint.maxSegment, 96)
})

function reply(flags: number, seq: number, ack: number, text: number): string | undefined {
  const seg = new TcpView()
  build(seg, flags, seq, ack, 0, new Uint8Array(text))
  const out = new TcpView()
  out.bytes = new Uint8Array(HEADER_LENGTH)
  if (!answerWithReset(seg, out)) return undefined
  return `${out.sourcePort}>${out.destinationPort} ${format(out)}`
}

test('no connection: an ACK is answered with RST at its ACK, anything else with RST|ACK behind it', t => {
  t.is(reply(ACK, 10, 20, 5), '2>1 R 20:20(0) win 0')
  t.is(reply(SYN, 10, 0, 0), `2>1 R. ${-ISS}:${-ISS}(0) ack 11 win 0`)
  t.is(reply(0, 10, 0, 5), `2>1 R. ${-ISS}:${-ISS}(0) ack 15 win 0`)
})

test('no connection: RST is not answered', t => {
  t.is(reply(RST, 10, 20, 0), undefined)
  t.is(reply(RST | ACK, 10, 20, 0), undefined)
})

test('a refused SYN gets the same RST after its packet is gone', t => {
  const out = new TcpView()
  out.bytes = new Uint8Array(HEADER_LENGTH)
  refuseSyn(out, 2, 1, IRS)
  t.is(out.flags, RST | ACK)
  t.is(out.seq, 0)
  t.is(out.ack, seqAdd(IRS, 1))
  t.is(out.end, HEADER_LENGTH)
})
