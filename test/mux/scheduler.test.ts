// Whose turn it is, and for how long.
import test from 'ava'
import { Budget, ReceiveWindow } from '../../lib/mux/credit.ts'
import { BULK_BYTES } from '../../lib/mux/gather.ts'
import { Scheduler, SPARSE_BYTES } from '../../lib/mux/scheduler.ts'
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
function send(scheduler: Scheduler, room = BULK_BYTES): [number, number] {
  const stream = scheduler.next(true, true)!
  const length = Math.min(stream.queued, room, scheduler.limit(stream))
  stream.queued -= length
  scheduler.sent(stream, length)
  return [stream.id, length]
}

/** A scheduler whose streams 1 to `count` have shown that they send much. */
function inBulk(count: number): Scheduler {
  const scheduler = new Scheduler()
  for (let id = 1; id <= count; id++) {
    const stream = streamOf(id, MUCH)
    stream.recentSince = 0
    stream.recentBytes = SPARSE_BYTES
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
  const sparse = streamOf(2, SPARSE_BYTES + 1_000)
  scheduler.activate(sparse, 0)
  t.deepEqual(send(scheduler), [2, SPARSE_BYTES])
  t.deepEqual(send(scheduler), [1, BULK_BYTES])
  t.deepEqual(send(scheduler), [2, 1_000])
})
