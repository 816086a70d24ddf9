// ESTABLISHED, we send: segments, the peer's window, probes.
import test from 'ava'
import { bytes, established, script } from './_script.ts'

test('ESTABLISHED: text leaves in segments of at most the MSS, the last one with PSH', t => {
  established(t)
    .send(250)
    .out('. 1:101(100) ack 1 win 1000', '. 101:201(100) ack 1 win 1000', 'P. 201:251(50) ack 1 win 1000')
    .in('. 1 ack 251')
    .out()
})

test('ESTABLISHED: with offload one transmit carries many segments, a multiple of the MSS unless it is the end', t => {
  const s = established(t, { maxSegment: 450 }).send(950)
  t.is(s.endpoint.maxSegment, 400)
  s.out('. 1:401(400) ack 1 win 1000', '. 401:801(400) ack 1 win 1000', 'P. 801:951(150) ack 1 win 1000')
})

test('ESTABLISHED: the smaller MSS of both counts', t => {
  t.is(established(t, { mss: 80, ownMss: 100 }).endpoint.mss, 80)
  t.is(established(t, { mss: 120, ownMss: 100 }).endpoint.mss, 100)
})

test('ESTABLISHED: text carries the ACK', t => {
  established(t).in('. 1 ack 1', 'ping').send('pong').out('P. 1:5(4) ack 5 win 996')
})

test('send: takes what fits, and more when it is acknowledged', t => {
  const s = established(t, { sendLimit: 150 })
  t.is(s.endpoint.send(bytes(200)), 150)
  t.is(s.endpoint.sendFree, 0)
  t.is(s.endpoint.send(bytes(1)), 0)
  t.is(s.endpoint.unsent, 150)
  s.drain()
  t.is(s.endpoint.unsent, 0)
  t.is(s.endpoint.unacknowledged, 150)
  s.in('. 1 ack 101')
  t.is(s.endpoint.sendFree, 100)
  t.is(s.endpoint.bytesOut, 100)
})

test('send: after shutdown and in CLOSED nothing is taken', t => {
  t.is(established(t).shutdown().endpoint.send(bytes(1)), 0)
  t.is(established(t).abort().endpoint.send(bytes(1)), 0)
})

test('ESTABLISHED: the peer’s window is kept to', t => {
  established(t)
    .in('. 1 ack 1 win 250')
    .send(900)
    .out('. 1:101(100) ack 1 win 1000', '. 101:201(100) ack 1 win 1000')
    .in('. 1 ack 101 win 250')
    .out('. 201:301(100) ack 1 win 1000')
})

test('ESTABLISHED: an old segment does not change the window (SND.WL1, SND.WL2)', t => {
  const s = established(t).in('. 1 ack 1', 'abc').in('. 4 ack 1 win 300', 'd')
  s.drain()
  s.in('. 3 ack 1 win 900', 'cdef').send(900)
  t.is(s.endpoint.unread, 6) // it counts, but for its window
  t.is(s.drain().length, 3)
})

test('silly window: less than a segment waits, unless it is half of the largest window (RFC 9293 §3.8.6.2.1)', t => {
  established(t).in('. 1 ack 1 win 99').send(500).out().at(199).out().at(1000).out('. 1:100(99) ack 1 win 1000')
  const s = script(t, { wnd: 120 })
  s.drain()
  s.in('. 1 ack 1 win 60').send(500).out('. 1:61(60) ack 1 win 1000')
})

test('silly window: the end of the queue leaves at once, there is no Nagle', t => {
  established(t).send('a').out('P. 1:2(1) ack 1 win 1000').send('b').out('P. 2:3(1) ack 1 win 1000')
})

test('zero window: a probe of one byte leaves after the RTO, then ever slower', t => {
  const s = established(t).in('. 1 ack 1 win 0').send('abc').out()
  for (const due of [200, 600, 1400]) {
    s.at(due - 1)
      .out()
      .at(due)
      .out('. 1:2(1) ack 1 win 1000')
      .in('. 1 ack 1 win 0')
      .out()
  }
  s.in('. 1 ack 1').out('P. 1:4(3) ack 1 win 1000')
  t.is(s.endpoint.deadline - s.now, 200) // the back-off is over
})

test('zero window: the peer may take the probe', t => {
  established(t)
    .in('. 1 ack 1 win 0')
    .send('abc')
    .out()
    .at(200)
    .out('. 1:2(1) ack 1 win 1000')
    .in('. 1 ack 2 win 0')
    .out()
    .at(400)
    .out('. 2:3(1) ack 1 win 1000')
    .in('. 1 ack 3')
    .out('P. 3:4(1) ack 1 win 1000')
})

test('zero window: is no congestion', t => {
  const s = established(t).in('. 1 ack 1 win 0').send(500).out().at(200).out('. 1:2(1) ack 1 win 1000')
  t.is(s.in('. 1 ack 1').drain().length, 5)
})

test('zero window: the connection stays for as long as the peer answers the probes', t => {
  const s = established(t, { userTimeoutMs: 10_000 }).in('. 1 ack 1 win 0').send('abc').out()
  for (let probes = 0; probes < 100; probes++) {
    s.at(s.endpoint.deadline).out('. 1:2(1) ack 1 win 1000').in('. 1 ack 1 win 0')
  }
  s.is('ESTABLISHED')
  t.true(s.now > 15 * 60_000)
})

test('zero window: a peer that does not answer the probes is given up', t => {
  const s = established(t, { userTimeoutMs: 10_000 }).in('. 1 ack 1 win 0').send('abc').out()
  s.untilClosed()
  s.is('CLOSED', 'timeout')
  t.is(s.now, 10_200)
})

test('zero window: FIN does not wait for it', t => {
  established(t).in('. 1 ack 1 win 0').shutdown().out('F. 1:1(0) ack 1 win 1000').in('. 1 ack 2 win 0').is('FIN_WAIT_2')
})

test('send: chunks of all sizes arrive as they were, also when they are sent again', t => {
  const s = established(t, { sendLimit: 1 << 20, wnd: 65_535, mss: 1000, ownMss: 1000, maxSegment: 1000 })
  s.in('. 1 ack 1 win 65535')
  for (const n of [1, 10, 4095, 4096, 5000, 3, 0, 4000, 4000]) s.send(n)
  const before = s.drain()
  t.is(before.length, 22)
  t.is(s.endpoint.unacknowledged, 1 + 10 + 4095 + 4096 + 5000 + 3 + 8000)
})

test('keep-alive: an idle peer is probed after two hours, and is given up when it is silent', t => {
  const twoHours = 7_200_000
  const s = established(t)
    .at(twoHours - 1)
    .out()
    .at(twoHours)
    .out('. 0:0(0) ack 1 win 1000')
    .out()
  s.in('. 1 ack 1')
    .at(twoHours + 75_000)
    .out()
  t.is(s.endpoint.deadline, 2 * twoHours)
  s.at(2 * twoHours).out('. 0:0(0) ack 1 win 1000')
  s.at(2 * twoHours + 75_000).out('. 0:0(0) ack 1 win 1000')
  s.at(2 * twoHours + 150_000)
    .is('CLOSED', 'timeout')
    .out('R. 1:1(0) ack 1 win 0')
})

test('keep-alive: traffic moves it on, without a timer per segment', t => {
  const s = established(t, { keepAliveMs: 1000 })
  s.now = 900
  s.in('. 1 ack 1', 'x').reads('x')
  s.drain()
  s.at(1000).out().at(1899).out().at(1900).out('. 0:0(0) ack 2 win 999')
})
