// Every way out: FIN from either side, both at once, half-close, RST, abort, silence.
import test from 'ava'
import { ACK, SYN, TcpView } from '../../lib/wire/tcp.ts'
import { build, bytes, established, type Script, script } from './_script.ts'

const finWait1 = (s: Script): Script => s.shutdown().out('F. 1:1(0) ack 1 win 1000').is('FIN_WAIT_1')
const finWait2 = (s: Script): Script => finWait1(s).in('. 1 ack 2').out().is('FIN_WAIT_2')
const closeWait = (s: Script): Script => s.in('F. 1 ack 1').out('. 1:1(0) ack 2 win 999').is('CLOSE_WAIT')
const timeWait = (s: Script): Script => finWait2(s).in('F. 1 ack 2').out('. 2:2(0) ack 2 win 999').is('TIME_WAIT')

test('FIN_WAIT_1: we close, the peer closes, TIME_WAIT ends after 2 MSL', t => {
  const s = timeWait(established(t))
  t.true(s.endpoint.ended)
  t.is(s.endpoint.deadline, 4000)
  s.at(3999).is('TIME_WAIT').at(4000).is('CLOSED').out()
  t.is(s.endpoint.deadline, Infinity)
})

test('FIN_WAIT_1: FIN and the ACK of ours in one segment', t => {
  finWait1(established(t)).in('F. 1 ack 2').out('. 2:2(0) ack 2 win 999').is('TIME_WAIT')
})

test('FIN_WAIT_1: both close at once', t => {
  finWait1(established(t))
    .in('F. 1 ack 1')
    .out('. 2:2(0) ack 2 win 999')
    .is('CLOSING')
    .in('. 2 ack 2')
    .out()
    .is('TIME_WAIT')
})

test('FIN_WAIT_1: the FIN is sent again until it is acknowledged, also behind acknowledged text', t => {
  const s = established(t).send('bye').shutdown().out('FP. 1:4(3) ack 1 win 1000').in('. 1 ack 4').out()
  s.at(s.endpoint.deadline).out('F. 4:4(0) ack 1 win 1000').out()
  s.at(s.endpoint.deadline).out('F. 4:4(0) ack 1 win 1000').in('. 1 ack 5').is('FIN_WAIT_2').out()
  t.is(s.endpoint.state, 'FIN_WAIT_2')
})

test('FIN_WAIT_1: text and FIN are sent again together', t => {
  const s = established(t).send('bye').shutdown().out('FP. 1:4(3) ack 1 win 1000')
  s.at(200).out('FP. 1:4(3) ack 1 win 1000').in('. 1 ack 5').is('FIN_WAIT_2')
})

test('FIN_WAIT_1: a FIN that does not fit follows its text', t => {
  established(t)
    .in('. 1 ack 1 win 100')
    .send(150)
    .shutdown()
    .out('. 1:101(100) ack 1 win 1000')
    .in('. 1 ack 101 win 100')
    .out('FP. 101:151(50) ack 1 win 1000')
})

test('FIN_WAIT_2: half-close, the peer still sends, and is acknowledged', t => {
  finWait2(established(t))
    .in('P. 1 ack 2', 'answer')
    .out('. 2:2(0) ack 7 win 994')
    .reads('answer')
    .in('F. 7 ack 2')
    .out('. 2:2(0) ack 8 win 993')
    .is('TIME_WAIT')
})

test('FIN_WAIT_2: a second shutdown changes nothing', t => {
  finWait2(established(t)).shutdown().out().is('FIN_WAIT_2')
})

test('CLOSE_WAIT: half-close, the other way goes on', t => {
  const s = closeWait(established(t))
  t.true(s.endpoint.ended)
  s.send('bye').shutdown().is('LAST_ACK').out('FP. 1:4(3) ack 2 win 999').in('. 2 ack 5').out().is('CLOSED')
})

test('CLOSE_WAIT: ended only when the text before the FIN was consumed', t => {
  const s = established(t).in('FP. 1 ack 1', 'abc')
  t.false(s.endpoint.ended)
  s.reads('abc')
  t.true(s.endpoint.ended)
})

test('CLOSE_WAIT: a FIN that overtakes its text waits for it', t => {
  const s = established(t).in('F. 4 ack 1').out('. 1:1(0) ack 1 win 1000').is('ESTABLISHED')
  s.in('. 1 ack 1', 'abc').out('. 1:1(0) ack 5 win 996').is('CLOSE_WAIT').reads('abc')
})

test('CLOSE_WAIT: the FIN once more is acknowledged once more', t => {
  closeWait(established(t)).in('F. 1 ack 1').out('. 1:1(0) ack 2 win 999').is('CLOSE_WAIT')
})

test('CLOSE_WAIT: text behind the FIN is ignored', t => {
  const s = closeWait(established(t)).in('. 2 ack 1', 'more').out('. 1:1(0) ack 2 win 999')
  t.is(s.endpoint.unread, 0)
})

test('ESTABLISHED: a FIN inside of text that is here already is not believed', t => {
  established(t)
    .in('. 5 ack 1', 'efgh')
    .in('F. 1 ack 1', 'ab')
    .in('. 3 ack 1', 'cd')
    .is('ESTABLISHED')
    .reads('abcdefgh')
})

test('ESTABLISHED: a FIN beyond the window is not believed', t => {
  const s = established(t, { receiveLimit: 10 }).in('F. 1 ack 1', 20).out('. 1:1(0) ack 11 win 0').is('ESTABLISHED')
  s.endpoint.consumed(10)
  s.drain()
  s.in('. 11 ack 1', 10).drain()
  s.endpoint.consumed(10)
  s.drain()
  s.in('. 21 ack 1', 'on').is('ESTABLISHED').reads('on')
})

test('LAST_ACK: the FIN is sent again; RST instead of the ACK ends it in good order', t => {
  const s = closeWait(established(t)).shutdown().out('F. 1:1(0) ack 2 win 999')
  s.at(200).out('F. 1:1(0) ack 2 win 999').in('R 2').is('CLOSED')
})

test('LAST_ACK: RST while text is not acknowledged is a reset', t => {
  closeWait(established(t)).send('lost').shutdown().in('R 2').is('CLOSED', 'reset')
})

test('LAST_ACK: a peer that never acknowledges is given up', t => {
  const s = closeWait(established(t, { userTimeoutMs: 3000 })).shutdown()
  s.drain()
  s.untilClosed()
  t.is(s.now, 3200)
  s.is('CLOSED', 'timeout').out('R. 2:2(0) ack 2 win 0')
})

test('CLOSING: FIN once more is acknowledged', t => {
  const s = finWait1(established(t)).in('F. 1 ack 1')
  s.drain()
  s.in('F. 1 ack 1').out('. 2:2(0) ack 2 win 999').is('CLOSING')
})

test('TIME_WAIT: the FIN once more is acknowledged and restarts 2 MSL', t => {
  const s = timeWait(established(t)).at(3000).in('F. 1 ack 2').out('. 2:2(0) ack 2 win 999')
  t.is(s.endpoint.deadline, 7000)
})

test('TIME_WAIT: an unread rest stays readable after the end', t => {
  const s = finWait2(established(t)).in('FP. 1 ack 2', 'rest')
  s.drain()
  s.at(4000).is('CLOSED').reads('rest')
  t.true(s.endpoint.ended)
  t.is(s.endpoint.storageBytes, 0)
})

test('CLOSED: abort frees what was not read', t => {
  const s = finWait2(established(t)).in('FP. 1 ack 2', 'rest')
  s.drain()
  s.at(4000).is('CLOSED').abort().is('CLOSED').out().reads('')
  t.is(s.endpoint.storageBytes, 0)
})

test('TIME_WAIT: yields to a newer SYN only', t => {
  const s = timeWait(established(t))
  const seg = new TcpView()
  const yields = (flags: number, seq: number): boolean => {
    build(seg, flags, seq, 0, 100, bytes(0))
    return s.endpoint.yieldsTo(seg)
  }
  t.true(yields(SYN, 100))
  t.false(yields(SYN, 1))
  t.false(yields(SYN | ACK, 100))
  t.false(yields(ACK, 100))
  build(seg, SYN, 100, 0, 100, bytes(0))
  t.false(established(t).endpoint.yieldsTo(seg))
})

test('abort: RST leaves by transmit, text that waits does not', t => {
  const s = established(t).send(150)
  t.is(s.drain().length, 2)
  s.send('never').in('. 1 ack 1', 'unread').abort().is('CLOSED', 'aborted').out('R. 151:151(0) ack 7 win 0').out()
  t.is(s.endpoint.unread, 0)
  t.is(s.endpoint.deadline, Infinity)
})

test('abort: in each state but TIME_WAIT and CLOSED the peer hears of it', t => {
  const states: [string, Script, number][] = [
    ['SYN_RECEIVED', script(t), 1],
    ['ESTABLISHED', established(t), 1],
    ['FIN_WAIT_1', finWait1(established(t)), 1],
    ['FIN_WAIT_2', finWait2(established(t)), 1],
    ['CLOSE_WAIT', closeWait(established(t)), 1],
    ['LAST_ACK', closeWait(established(t)).shutdown(), 1],
    ['CLOSING', finWait1(established(t)).in('F. 1 ack 1'), 1],
    ['TIME_WAIT', timeWait(established(t)), 0],
    ['CLOSED', established(t).in('R 1'), 0]
  ]
  for (const [state, s, resets] of states) {
    t.is(s.endpoint.state as string, state)
    t.is(s.abort().drain().length, resets, state)
    t.is(s.endpoint.state, 'CLOSED')
  }
})

test('CLOSED: segments, time and calls change nothing', t => {
  const s = established(t).in('R 1').is('CLOSED', 'reset')
  s.in('. 1 ack 1', 'abc').shutdown().abort().at(1e9).is('CLOSED', 'reset').out().reads('')
  t.is(s.endpoint.sendFree, 0)
})

test('close: frees without a word', t => {
  const s = established(t).send('abc').in('. 1 ack 1', 'abc')
  s.endpoint.close(0)
  s.out().is('CLOSED', 'aborted')
  t.is(s.endpoint.storageBytes, 0)
  t.is(s.endpoint.unacknowledged, 0)
})
