import test from 'ava'
import fc from 'fast-check'
import { Budget } from '../../lib/tcp/budget.ts'
import { SendQueue } from '../../lib/tcp/send-queue.ts'
import { randomBytes } from '../_support/random.ts'

test('any part of what is queued can be read, in any order, while chunks come and go', t => {
  const size = fc.oneof(fc.nat(20), fc.integer({ min: 4000, max: 4200 }), fc.nat(20_000))
  const step = fc.record({
    push: size,
    drop: fc.double({ min: 0, max: 1, noNaN: true }),
    at: fc.double({ min: 0, max: 1, noNaN: true })
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), steps => {
      const budget = new Budget(Infinity)
      const queue = new SendQueue(budget)
      let model = Buffer.alloc(0)
      let seed = 1
      for (const { push, drop, at } of steps) {
        const chunk = randomBytes(push, seed++)
        queue.push(chunk)
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
