// RFC 5961: what somebody who does not see the conversation can send into it.
import test from 'ava'
import { established, script } from './_script.ts'

/** The ACK that asks whether it was meant. */
const CHALLENGE = challenge(1)

test('§3.2: RST with the expected number resets', t => {
  established(t).in('R 1').out().is('CLOSED', 'reset')
})

test('§3.2: RST elsewhere in the window is challenged', t => {
  established(t).in('R 9').out(challenge(1)).in('R 1000').out(challenge(1)).is('ESTABLISHED')
})

test('§3.2: RST outside of the window is ignored', t => {
  established(t).in('R 0').in('R 1001').in('R -5000').in('R. 70000 ack 1').out().is('ESTABLISHED')
})

test('§3.2: a peer that answers the challenge does reset', t => {
  established(t).in('. 1 ack 1', 'abc').in('R 9').out(challenge(4)).in('R 4').is('CLOSED', 'reset')
})

test('§4.2: SYN is challenged wherever it lies', t => {
  established(t)
    .in('S 5')
    .out(challenge(1))
    .in('S 0')
    .out(challenge(1))
    .in('S. 77777 ack 1')
    .out(challenge(1))
    .is('ESTABLISHED')
})

test('§5.2: an ACK of what was never sent is challenged, and its text dropped', t => {
  const s = established(t).in('. 1 ack 2', 'inject').out(CHALLENGE)
  t.is(s.endpoint.unread, 0)
})

test('§5.2: an ACK older than the largest window is challenged, and its text dropped', t => {
  const s = established(t).in('. 1 ack -1000', 'inject').out(CHALLENGE)
  t.is(s.endpoint.unread, 0)
  s.in('. 1 ack -999', 'late').out('. 1:1(0) ack 5 win 996').reads('late')
})

test('§7: ten challenges in five seconds, then silence, then ten more', t => {
  const s = established(t)
  let answers = 0
  for (let i = 0; i < 30; i++) answers += s.in('S 5').drain().length
  t.is(answers, 10)
  s.at(4999).in('R 9').out()
  s.at(5000)
  for (let i = 0; i < 30; i++) answers += s.in('R 9').drain().length
  t.is(answers, 20)
})

test('§7: text that came before is acknowledged without a limit, since that is our own ACK which was lost', t => {
  const s = established(t).in('. 1 ack 1', 'abc')
  s.drain()
  for (let i = 0; i < 30; i++) s.in('. 1 ack 1', 'abc').out(challenge(4, 997))
})

test('§7: ACKs without text outside of the window are challenged with the limit: two ends cannot start a war', t => {
  const s = established(t)
  let answers = 0
  for (let i = 0; i < 30; i++) answers += s.in('. 5000 ack 1').drain().length
  t.is(answers, 10)
})

test('a keep-alive of the peer is answered', t => {
  established(t).in('. 0 ack 1').out(CHALLENGE)
})

test('SYN_RECEIVED: a second SYN of another number, in the window, does not reset', t => {
  const s = script(t)
  s.drain()
  s.in('S 5').out(CHALLENGE).is('SYN_RECEIVED')
})

function challenge(ack: number, win = 1001 - ack): string {
  return `. 1:1(0) ack ${ack} win ${win}`
}
