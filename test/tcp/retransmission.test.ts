// Loss: the timer of RFC 6298, fast retransmit and NewReno recovery of RFC 5681 and 6582.
import test from 'ava'
import { established, type Script } from './_script.ts'

/** Ten segments of 100 bytes on the way. */
function tenSent(s: Script): Script {
  s.in('. 1 ack 1 win 5000').send(1000)
  if (s.drain().length !== 10) throw new Error('ten segments should have left')
  return s
}

test('RTO: text is sent again, ever slower, one segment at a time', t => {
  const s = tenSent(established(t))
  s.at(199).out()
  for (const due of [200, 600, 1400, 3000]) s.at(due).out('. 1:101(100) ack 1 win 1000')
  t.is(s.endpoint.retransmits, 4)
})

test('RTO: after the ACK the rest follows by slow start: go back N', t => {
  tenSent(established(t))
    .at(200)
    .out('. 1:101(100) ack 1 win 1000')
    .in('. 1 ack 101 win 5000')
    .out('. 101:201(100) ack 1 win 1000', '. 201:301(100) ack 1 win 1000')
    .in('. 1 ack 1001 win 5000')
    .out()
})

test('RTO: restarts with each ACK of new text, stops when all is acknowledged', t => {
  const s = tenSent(established(t)).at(150).in('. 1 ack 101 win 5000')
  t.is(s.endpoint.deadline, 150 + 450) // SRTT 150, RTTVAR 75
  s.in('. 1 ack 1001 win 5000')
  t.true(s.endpoint.deadline > 7_000_000) // only keep-alive is left
})

test('RTO: follows the round trip', t => {
  const s = established(t)
  t.is(s.endpoint.srttMs, 0)
  s.at(1000).send('a').drain()
  s.at(1080).in('. 1 ack 2')
  t.is(s.endpoint.srttMs, 80)
  s.send('b').drain()
  s.at(1240).in('. 1 ack 3').send('c').drain()
  t.is(s.endpoint.srttMs, 0.875 * 80 + 0.125 * 160)
  t.is(s.endpoint.deadline - s.now, 90 + 4 * (0.75 * 40 + 0.25 * 80))
})

test('RTO: what was sent twice is no sample (Karn)', t => {
  const s = established(t).at(1000).send('a')
  s.drain()
  s.at(1200).out('P. 1:2(1) ack 1 win 1000').at(1201).in('. 1 ack 2')
  t.is(s.endpoint.srttMs, 0)
})

test('user timeout: a peer that acknowledges nothing is given up, and told so', t => {
  const s = tenSent(established(t, { userTimeoutMs: 2000 }))
  s.untilClosed()
  s.is('CLOSED', 'timeout').out('R. 1001:1001(0) ack 1 win 0')
  t.is(s.now, 2200)
})

test('user timeout: an ACK of anything new starts it again', t => {
  const s = tenSent(established(t, { userTimeoutMs: 2000 })).at(200)
  s.drain()
  s.at(600).drain()
  s.in('. 1 ack 101 win 5000').drain()
  s.untilClosed()
  t.is(s.now, 600 + 200 + 2000)
})

test('fast retransmit: the third duplicate ACK brings the segment at once', t => {
  tenSent(established(t))
    .in('. 1 ack 101 win 5000')
    .in('. 1 ack 101 win 5000')
    .in('. 1 ack 101 win 5000')
    .out()
    .in('. 1 ack 101 win 5000')
    .out('. 101:201(100) ack 1 win 1000')
    .in('. 1 ack 101 win 5000')
    .out()
})

test('fast retransmit: what has text, another window, or is old, is no duplicate', t => {
  const s = tenSent(established(t)).in('. 1 ack 101 win 5000')
  s.in('. 1 ack 101 win 5000', 'x').in('. 2 ack 101 win 4000').in('. 2 ack 101 win 5000').in('. 2 ack 101 win 4000')
  s.out('. 1001:1001(0) ack 2 win 999')
})

test('fast recovery: a partial ACK shows the next hole (RFC 6582)', t => {
  const s = tenSent(established(t))
  for (let i = 0; i < 4; i++) s.in('. 1 ack 101 win 5000')
  s.out('. 101:201(100) ack 1 win 1000')
    .in('. 1 ack 401 win 5000')
    .out('. 401:501(100) ack 1 win 1000')
    .in('. 1 ack 1001 win 5000')
    .out()
  t.is(s.endpoint.retransmits, 2)
})

test('fast recovery: each further duplicate lets a new segment leave; afterwards half of the flight is the window', t => {
  const s = tenSent(established(t))
  for (let i = 0; i < 3; i++) s.in('. 1 ack 1 win 5000')
  s.out('. 1:101(100) ack 1 win 1000').send(2000).out()
  s.in('. 1 ack 1 win 5000').out() // cwnd 500 + 4 × 100, 1000 on the way
  s.in('. 1 ack 1 win 5000').out()
  s.in('. 1 ack 1 win 5000').out('. 1001:1101(100) ack 1 win 1000')
  s.in('. 1 ack 1101 win 5000')
  t.is(s.drain().length, 5)
})

test('fast retransmit: not a second time for the same loss', t => {
  const s = tenSent(established(t))
  for (let i = 0; i < 3; i++) s.in('. 1 ack 1 win 5000')
  s.out('. 1:101(100) ack 1 win 1000').in('. 1 ack 1001 win 5000').out()
  s.send(1000)
  s.drain()
  for (let i = 0; i < 3; i++) s.in('. 1 ack 1001 win 5000')
  s.out() // nothing above `recover` is acknowledged yet
})

test('the FIN is part of what is sent again', t => {
  const s = tenSent(established(t)).shutdown().out('F. 1001:1001(0) ack 1 win 1000')
  s.in('. 1 ack 1001 win 5000')
  for (let i = 0; i < 3; i++) s.in('. 1 ack 1001 win 5000')
  s.out('F. 1001:1001(0) ack 1 win 1000').in('. 1 ack 1002 win 5000').is('FIN_WAIT_2')
})

test('a window that shrinks over what is on the way stops the flow, and the timer probes', t => {
  const s = tenSent(established(t)).in('. 1 ack 101 win 0').send(500).out()
  s.at(s.endpoint.deadline).out('. 101:102(1) ack 1 win 1000').in('. 1 ack 101 win 0').out()
  s.in('. 1 ack 1001 win 5000')
  t.is(s.drain().length, 5)
})

test('fast recovery: only the first partial ACK restarts the timer (RFC 6582 §4, impatient)', t => {
  const s = tenSent(established(t))
  for (let i = 0; i < 3; i++) s.in('. 1 ack 1 win 5000')
  s.drain()
  s.at(50).in('. 1 ack 201 win 5000').drain()
  const due = s.endpoint.deadline
  t.is(due, 50 + 200)
  s.at(100).in('. 1 ack 401 win 5000').drain()
  t.is(s.endpoint.deadline, due)
  s.at(due).out('. 401:501(100) ack 1 win 1000')
})

test('fast retransmit: an ACK of new text begins the count anew', t => {
  tenSent(established(t))
    .in('. 1 ack 1 win 5000')
    .in('. 1 ack 1 win 5000')
    .in('. 1 ack 101 win 5000')
    .in('. 1 ack 101 win 5000')
    .in('. 1 ack 101 win 5000')
    .out()
})

test('fast retransmit: what was sent twice is no sample (Karn)', t => {
  const s = tenSent(established(t)).at(50)
  for (let i = 0; i < 3; i++) s.in('. 1 ack 1 win 5000')
  s.drain()
  s.at(100).in('. 1 ack 1001 win 5000')
  t.is(s.endpoint.srttMs, 0)
})

test('fast retransmit: a FIN that has not left yet does not leave with it', t => {
  const s = established(t).send(100).out('P. 1:101(100) ack 1 win 1000')
  for (let i = 0; i < 3; i++) s.in('. 1 ack 1')
  s.shutdown().out('P. 1:101(100) ack 1 win 1000', 'F. 101:101(0) ack 1 win 1000').in('. 1 ack 102').is('FIN_WAIT_2')
})
