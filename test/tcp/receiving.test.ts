// ESTABLISHED, the peer sends: order, gaps, overlaps, windows, memory.
import test from 'ava'
import { ALWAYS_BYTES, Budget } from '../../lib/tcp/budget.ts'
import { bytes, established } from './_script.ts'

test('ESTABLISHED: text is acknowledged and handed over once', t => {
  established(t)
    .in('P. 1 ack 1', 'hello')
    .out('. 1:1(0) ack 6 win 995')
    .in('P. 1 ack 1', 'hello')
    .out('. 1:1(0) ack 6 win 995')
    .reads('hello')
})

test('ESTABLISHED: one ACK for a batch', t => {
  established(t).in('. 1 ack 1', 'aaa').in('. 4 ack 1', 'bbb').in('. 7 ack 1', 'ccc').out('. 1:1(0) ack 10 win 991')
})

test('ESTABLISHED: a super-segment is one segment', t => {
  const s = established(t, { receiveLimit: 1 << 20, windowScale: 0 })
  s.in('P. 1 ack 1', 60_000).out('. 1:1(0) ack 60001 win 1579')
  t.is(s.endpoint.unread, 60_000)
  t.deepEqual(s.endpoint.received(), bytes(60_000))
})

test('ESTABLISHED: a gap is kept and filled', t => {
  established(t)
    .in('. 6 ack 1', 'world')
    .out('. 1:1(0) ack 1 win 1000')
    .reads('')
    .in('. 1 ack 1', 'hello')
    .out('. 1:1(0) ack 11 win 990')
    .reads('helloworld')
})

test('ESTABLISHED: each segment out of order is worth a duplicate ACK, three at most', t => {
  const s = established(t)
  for (const at of [11, 21, 31, 41, 51]) s.in(`. ${at} ack 1`, 'abc')
  s.out(...Array<string>(3).fill('. 1:1(0) ack 1 win 1000'))
})

test('ESTABLISHED: overlaps: what is in order already stands, the front of a segment is trimmed', t => {
  established(t).in('. 1 ack 1', 'abcdef').in('. 3 ack 1', 'XXXXghi').reads('abcdefghi')
})

test('ESTABLISHED: overlaps: a segment inside of what is there changes nothing', t => {
  established(t).in('. 1 ack 1', 'abcdef').in('. 2 ack 1', 'XX').out('. 1:1(0) ack 7 win 994').reads('abcdef')
})

test('ESTABLISHED: overlaps: out of order, the later copy stands', t => {
  established(t).in('. 5 ack 1', 'efgh').in('. 3 ack 1', 'CDEF').in('. 1 ack 1', 'ab').reads('abCDEFgh')
})

test('ESTABLISHED: overlaps: a segment that fills two gaps at once', t => {
  established(t)
    .in('. 3 ack 1', 'c')
    .in('. 6 ack 1', 'f')
    .in('. 9 ack 1', 'i')
    .in('. 1 ack 1', 'abCdeFgh')
    .out('. 1:1(0) ack 10 win 991', '. 1:1(0) ack 10 win 991', '. 1:1(0) ack 10 win 991')
    .reads('abCdeFghi')
})

test('ESTABLISHED: text beyond the window is cut off', t => {
  established(t, { receiveLimit: 10 }).in('. 1 ack 1', 'abcdefghijKLM').out('. 1:1(0) ack 11 win 0').reads('abcdefghij')
})

test('ESTABLISHED: what is not consumed closes the window; consuming opens it with an update', t => {
  const s = established(t, { receiveLimit: 100 })
    .in('. 1 ack 1', 100)
    .out('. 1:1(0) ack 101 win 0')
    .in('. 101 ack 1', 'x')
    .out('. 1:1(0) ack 101 win 0')
  s.endpoint.consumed(100)
  s.out('. 1:1(0) ack 101 win 100')
})

test('ESTABLISHED: silly window: a few bytes consumed are not worth an update (RFC 9293 §3.8.6.2.2)', t => {
  const s = established(t, { receiveLimit: 150 }).in('. 1 ack 1', 150).out('. 1:1(0) ack 151 win 0')
  s.endpoint.consumed(74)
  s.out().in('. 151 ack 1', 'x').out('. 1:1(0) ack 151 win 0')
  s.endpoint.consumed(1)
  s.out('. 1:1(0) ack 151 win 75')
})

test('ESTABLISHED: an update is due when half of the window is free again, or when less than a segment was left', t => {
  const half = established(t).in('. 1 ack 1', 500).out('. 1:1(0) ack 501 win 500')
  half.endpoint.consumed(499)
  half.out()
  half.endpoint.consumed(1)
  half.out('. 1:1(0) ack 501 win 1000')
  const small = established(t).in('. 1 ack 1', 950).out('. 1:1(0) ack 951 win 50')
  small.endpoint.consumed(99)
  small.out()
  small.endpoint.consumed(1)
  small.out('. 1:1(0) ack 951 win 150')
})

test('ESTABLISHED: what scaling cuts off a window field was promised all the same', t => {
  const s = established(t, { windowScale: 7, receiveLimit: 12_800 }).in('. 1 ack 1', 'x')
  s.out('. 1:1(0) ack 2 win 99').in('. 2 ack 1', 12_799)
  t.is(s.endpoint.unread, 12_800)
})

test('CLOSE_WAIT: no window update when the peer has nothing more to send', t => {
  const s = established(t).in('F. 1 ack 1', 1000).out('. 1:1(0) ack 1002 win 0')
  s.endpoint.consumed(1000)
  s.out()
})

test('ESTABLISHED: with a closed window ACK and RST still count', t => {
  const s = established(t, { receiveLimit: 10 }).in('. 1 ack 1', 10).out('. 1:1(0) ack 11 win 0')
  s.send('abc').out('P. 1:4(3) ack 11 win 0').in('. 11 ack 4', 'more')
  t.is(s.endpoint.unacknowledged, 0)
  s.in('R 11').is('CLOSED', 'reset')
})

test('ESTABLISHED: the promised window is never taken back while text comes in', t => {
  const s = established(t)
  s.in('. 1 ack 1', 400).in('. 401 ack 1', 600)
  s.out('. 1:1(0) ack 1001 win 0')
  t.is(s.endpoint.unread, 1000)
})

test('ESTABLISHED: the window grows with what is consumed, up to its limit, and idle storage is freed', t => {
  const s = established(t, { receiveLimit: 4 << 20, windowScale: 7 })
  let at = 1
  const windows: string[] = []
  for (let i = 0; i < 250; i++) {
    s.in(`. ${at} ack 1`, 60_000)
    at += 60_000
    while (s.endpoint.unread > 0) s.endpoint.consumed(s.endpoint.received().length)
    windows.push(
      s
        .drain()
        .at(-1)!
        .replace(/.* win /, '')
    )
  }
  t.deepEqual(
    [...new Set(windows.map(Number))].filter(w => (w << 7) % 2 ** 18 === 0).map(w => w << 7),
    [1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22]
  )
  t.is(s.endpoint.storageBytes, 65_536)
  s.at(1000)
  t.is(s.endpoint.storageBytes, 0)
})

test('memory: none before text arrives; kept while unread, freed one second after it was read', t => {
  const s = established(t)
  t.is(s.endpoint.storageBytes, 0)
  s.in('. 1 ack 1', 'abc')
  t.is(s.endpoint.storageBytes, 4096)
  s.at(5000)
  t.is(s.endpoint.storageBytes, 4096)
  s.reads('abc').at(5999)
  s.drain()
  s.at(6000)
  t.is(s.endpoint.storageBytes, 0)
})

test('memory: a gap keeps its storage', t => {
  const s = established(t).in('. 10 ack 1', 'abc').at(5000).in('. 1 ack 1', '123456789')
  s.reads('123456789abc')
})

test('memory: beyond the budget text is not taken, but each endpoint keeps a little', t => {
  const budget = new Budget(64 * 1024)
  budget.used = budget.limit // by others
  const s = established(t, { budget, receiveLimit: 1 << 20 })
  s.in('. 1 ack 1', 60_000)
  t.is(s.endpoint.storageBytes, 0)
  s.in('. 1 ack 1', ALWAYS_BYTES)
  t.is(s.endpoint.unread, ALWAYS_BYTES)
  s.endpoint.close(0)
  t.is(budget.used, budget.limit)
})

test('memory: what an endpoint held comes back to the budget, however it ends', t => {
  for (const end of ['abort', 'reset', 'close'] as const) {
    const budget = new Budget(1 << 20)
    const s = established(t, { budget }).in('. 1 ack 1', 'abc').in('. 9 ack 1', 'x').send(900)
    t.is(budget.used, 4096 + 900)
    if (end === 'abort') s.abort()
    else if (end === 'reset') s.in('R 4')
    else s.endpoint.close(0)
    t.is(budget.used, 0, end)
  }
})

test('memory: with a pressed budget windows and queues stay small', t => {
  const budget = new Budget(200_000)
  budget.used = 150_000
  const s = established(t, { budget, receiveLimit: 1 << 20, windowScale: 7, sendLimit: 1 << 20 })
  s.in('. 1 ack 1', 'x').reads('x').out('. 1:1(0) ack 2 win 511')
  t.is(s.endpoint.sendFree, 65_536)
})

test('memory: more than 64 gaps are not kept', t => {
  const s = established(t)
  for (let i = 0; i < 70; i++) s.in(`. ${3 + 2 * i} ack 1`, 'x')
  s.drain()
  for (let i = 0; i < 64; i++) s.in(`. ${1 + 2 * i} ack 1`, 'y x'.slice(0, 2))
  s.drain()
  s.in('. 129 ack 1', 'zz')
  t.is(s.endpoint.unread, 130)
})
