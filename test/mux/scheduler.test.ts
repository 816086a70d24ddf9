// Whose turn it is, and for how long.
import test from 'ava'
import { Budget, ReceiveWindow } from '../../lib/mux/credit.ts'
import { BULK_BYTES } from '../../lib/mux/gather.ts'
import { LITTLE_BYTES } from '../../lib/mux/recent.ts'
import { Scheduler } from '../../lib/mux/scheduler.ts'
import { StreamState } from '../../lib/mux/stream-state.ts'

const MUCH = 1 << 20

function streamOf(id: number, queued: number): StreamState {
  const stream = new StreamState(id, MUCH, new ReceiveWindow(new Budget(), MUCH, MUCH), {
    data() {},
    ended() {},
    reset() {},
    taken() {},
    kept: () => 0
  })
  stream.queued = queued
  return stream
}

/** The next frame: whose it is, and its length if a write has `room` bytes for it. */
function send(scheduler: Scheduler, room = BULK_BYTES, now = 0): [number, number] {
  const stream = scheduler.next(true, true)!
  const length = Math.min(stream.queued, room, scheduler.limit(stream))
  stream.queued -= length
  scheduler.sent(stream, length, now)
  return [stream.id, length]
}

/** A scheduler whose streams 1 to `count` have shown that they send much. */
function inBulk(count: number): Scheduler {
  const scheduler = new Scheduler()
  for (let id = 1; id <= count; id++) {
    const stream = streamOf(id, MUCH)
    stream.sent.add(LITTLE_BYTES, 0)
    scheduler.activate(stream, 0)
  }
  return scheduler
}

test('a turn in bulk is a whole write', t => {
  const scheduler = inBulk(3)
  const sent = Array.from({ length: 6 }, () => send(scheduler))
  t.deepEqual(
    sent,
    [1, 2, 3, 1, 2, 3].map(id => [id, BULK_BYTES])
  )
})

test('what a stream sent beyond its turn is missing in the next ones', t => {
  const scheduler = inBulk(2)
  // Something else takes some room in each write of stream 1, which therefore begins another one before its turn is over.
  const bytes = new Map([
    [1, 0],
    [2, 0]
  ])
  for (let frame = 0; frame < 20; frame++) {
    const [id, length] = send(scheduler, scheduler.next(true, true)!.id === 1 ? BULK_BYTES - 9 : BULK_BYTES)
    bytes.set(id, bytes.get(id)! + length)
  }
  t.true(Math.abs(bytes.get(1)! - bytes.get(2)!) <= 2 * BULK_BYTES, `${bytes.get(1)} and ${bytes.get(2)} bytes`)
})

test('a stream that sends little goes first, and waits its turn once it has sent much', t => {
  const scheduler = inBulk(1)
  const sparse = streamOf(2, LITTLE_BYTES + 1_000)
  scheduler.activate(sparse, 0)
  t.deepEqual(send(scheduler), [2, LITTLE_BYTES])
  t.deepEqual(send(scheduler), [1, BULK_BYTES])
  t.deepEqual(send(scheduler), [2, 1_000])
})

test('a stream in bulk that pauses for a moment is not taken for one that sends little; after a second without much it is', t => {
  const scheduler = new Scheduler()
  const stream = streamOf(1, 0)
  const places: string[] = []
  // 64 flows at 160 MB/s: each has its 64 KiB every 26 ms, and now and then 120 ms late.
  for (let now = 26; now < 1_000; now += now % 260 === 0 ? 120 : 26) {
    stream.queued = BULK_BYTES
    scheduler.activate(stream, now)
    places.push(stream.place)
    while (stream.queued > 0) send(scheduler, BULK_BYTES, now)
    t.is(scheduler.next(true, true), undefined)
  }
  t.is(places.indexOf('sparse'), 0)
  t.is(places.lastIndexOf('sparse'), 0)
  stream.queued = 100
  scheduler.activate(stream, 2_100)
  t.is(stream.place, 'sparse')
})
