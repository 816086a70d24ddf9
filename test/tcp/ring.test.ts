import test from 'ava'
import fc from 'fast-check'
import { ALWAYS_BYTES, Budget } from '../../lib/tcp/budget.ts'
import { Ring } from '../../lib/tcp/ring.ts'
import { randomBytes } from '../_support/random.ts'

function readAll(ring: Ring): Buffer {
  const parts: Uint8Array[] = []
  while (ring.length > 0) {
    const part = ring.peek().slice()
    parts.push(part)
    ring.drop(part.length)
  }
  return Buffer.concat(parts)
}

test('a ring is a queue, however it is written and read', t => {
  const step = fc.record({ write: fc.nat(5000), ahead: fc.nat(3000), read: fc.nat(9000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const ring = new Ring(new Budget(Infinity))
      const all = randomBytes(300_000, 5)
      let written = 0
      let read = 0
      for (const { write, ahead, read: wanted } of steps) {
        // What lies ahead first, then what closes the gap.
        ring.writeAhead(write, all, written + write, written + write + ahead)
        ring.writeAhead(0, all, written, written + write)
        ring.commit(write + ahead)
        written += write + ahead
        let n = Math.min(wanted, ring.length)
        while (n > 0) {
          const part = ring.peek().subarray(0, n)
          if (!Buffer.from(part).equals(all.subarray(read, read + part.length))) return false
          ring.drop(part.length)
          read += part.length
          n -= part.length
        }
        if (ring.length !== written - read) return false
      }
      return readAll(ring).equals(all.subarray(read, written))
    })
  )
  t.pass()
})

test('memory is taken when it is needed and accounted for', t => {
  const budget = new Budget(Infinity)
  const ring = new Ring(budget)
  t.is(ring.capacity, 0)
  ring.writeAhead(0, new Uint8Array(5000), 0, 5000)
  t.is(ring.capacity, 8192)
  t.is(budget.used, 8192)
  ring.release()
  t.is(ring.capacity, 0)
  t.is(budget.used, 0)
})

test('beyond the budget a ring does not grow above its minimum, and keeps what it has', t => {
  const budget = new Budget(100)
  const ring = new Ring(budget)
  const bytes = randomBytes(ALWAYS_BYTES + 1, 1)
  t.true(ring.writeAhead(0, bytes, 0, ALWAYS_BYTES))
  ring.commit(ALWAYS_BYTES)
  t.false(ring.writeAhead(0, bytes, ALWAYS_BYTES, ALWAYS_BYTES + 1))
  t.deepEqual(readAll(ring), Buffer.from(bytes.subarray(0, ALWAYS_BYTES)))
})

test('after a rewind what comes next is in one piece', t => {
  const ring = new Ring(new Budget(Infinity))
  const bytes = randomBytes(4096, 1)
  ring.writeAhead(0, bytes, 0, 3000)
  ring.commit(3000)
  ring.drop(3000)
  ring.rewind()
  ring.writeAhead(0, bytes, 0, 4096)
  ring.commit(4096)
  t.is(ring.peek().length, 4096)
})

test('large memory is freed as soon as it is outgrown or released', t => {
  const ring = new Ring(new Budget(Infinity))
  const bytes = randomBytes(70_000, 5)
  ring.writeAhead(0, bytes, 0, bytes.length)
  ring.commit(bytes.length)
  const outgrown = ring.peek()
  ring.writeAhead(0, bytes, 0, bytes.length)
  ring.commit(bytes.length)
  t.is(outgrown.buffer.byteLength, 0)
  const released = ring.peek()
  t.true(Buffer.from(released.subarray(0, bytes.length)).equals(bytes))
  ring.release()
  t.is(released.buffer.byteLength, 0)
})
