import test from 'ava'
import fc from 'fast-check'
import { seqAdd, seqDiff, seqLe, seqLt } from '../../lib/tcp/seq.ts'

const seq = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const step = fc.integer({ min: 1, max: 2 ** 31 - 1 })

test('what lies less than half the circle ahead is larger, wherever the circle wraps', t => {
  fc.assert(
    fc.property(seq, step, (a, n) => {
      const b = seqAdd(a, n)
      const before = seqLt(a, b) && seqLe(a, b) && !seqLt(b, a) && !seqLe(b, a)
      return before && seqDiff(a, b) === n && seqLe(a, a) && !seqLt(a, a) && b === (b | 0)
    })
  )
  t.pass()
})
