import test from 'ava'
import fc from 'fast-check'
import { BLOCK_BYTES, takeBlock } from '../../lib/blocks.ts'
import { Budget } from '../../lib/tcp/budget.ts'
import { SendQueue } from '../../lib/tcp/send-queue.ts'
import { randomBytes } from '../_support/random.ts'

test('any part of what is queued can be read, in any order, while chunks come and go', t => {
  const size = fc.oneof(fc.nat(20), fc.integer({ min: 4000, max: 4200 }), fc.nat(20_000))
  const step = fc.record({
    push: size,
    give: fc.boolean(),
    drop: fc.double({ min: 0, max: 1, noNaN: true }),
    at: fc.double({ min: 0, max: 1, noNaN: true })
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), steps => {
      const budget = new Budget(Infinity)
      const queue = new SendQueue(budget)
      let model = Buffer.alloc(0)
      let seed = 1
      for (const { push, give, drop, at } of steps) {
        const chunk = randomBytes(give ? push * 3 : push, seed++)
        if (!give || !queue.take(blockOf(chunk))) queue.push(chunk)
        model = Buffer.concat([model, chunk])
        const n = Math.floor(drop * drop * model.length)
        queue.drop(n)
        model = model.subarray(n)
        const from = Math.floor(at * model.length)
        const length = Math.min(3000, model.length - from)
        const read = new Uint8Array(length + 3)
        queue.copyTo(read, 3, from, length)
        if (!model.subarray(from, from + length).equals(read.subarray(3))) return false
        if (queue.length !== model.length || budget.used !== model.length) return false
      }
      queue.clear()
      return budget.used === 0 && queue.length === 0
    }),
    { numRuns: 60 }
  )
  t.pass()
})

test('a block with much in it is kept, and free for others when it has been acknowledged', t => {
  const queue = new SendQueue(new Budget(Infinity))
  const block = blockOf(randomBytes(50_000, 1))
  t.false(queue.take(block.subarray(0, 8_000)))
  t.false(queue.take(block.subarray(1)))
  t.true(queue.take(block))
  queue.push(Buffer.alloc(100, 7))
  queue.drop(49_999)
  const others = Array.from({ length: 300 }, takeBlock)
  t.false(others.some(({ buffer }) => buffer === block.buffer))
  queue.drop(1)
  t.is(takeBlock().buffer, block.buffer)
  const read = new Uint8Array(100)
  queue.copyTo(read, 0, 0, 100)
  t.true(read.every(byte => byte === 7))
})

function blockOf(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const block = takeBlock()
  block.set(bytes.subarray(0, BLOCK_BYTES))
  return block.subarray(0, bytes.length)
}

test('what was pushed may be changed afterwards', t => {
  const queue = new SendQueue(new Budget(Infinity))
  for (const size of [100, 4096, 40_000]) {
    const chunk = new Uint8Array(size).fill(1)
    queue.push(chunk)
    chunk.fill(2)
  }
  const read = new Uint8Array(queue.length)
  queue.copyTo(read, 0, 0, read.length)
  t.true(read.every(byte => byte === 1))
})
