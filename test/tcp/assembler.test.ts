import test from 'ava'
import fc from 'fast-check'
import { Assembler } from '../../lib/tcp/assembler.ts'

test('ranges in any order, overlapping, are what a set of bytes is', t => {
  const range = fc.record({ from: fc.nat(60), length: fc.integer({ min: 1, max: 20 }) })
  fc.assert(
    fc.property(fc.array(range, { maxLength: 40 }), ranges => {
      const gaps = new Assembler()
      let here = new Set<number>()
      for (const { from, length } of ranges) {
        for (let i = from; i < from + length; i++) here.add(i)
        let n = 0
        while (here.has(n)) n++
        if (gaps.add(from, from + length) !== n) return false
        here = new Set([...here].map(i => i - n).filter(i => i >= 0))
        if (gaps.end !== Math.max(0, ...[...here].map(i => i + 1)) || gaps.empty !== (here.size === 0)) return false
      }
      return true
    })
  )
  t.pass()
})

test('the 65th range is not noted, but one that joins others is', t => {
  const gaps = new Assembler()
  for (let i = 1; i <= 64; i++) t.is(gaps.add(i * 10, i * 10 + 5), 0)
  gaps.add(1000, 1005)
  t.is(gaps.end, 645)
  gaps.add(645, 650)
  t.is(gaps.end, 650)
  t.is(gaps.add(0, 700), 700)
  t.true(gaps.empty)
})

test('clear forgets all', t => {
  const gaps = new Assembler()
  gaps.add(5, 6)
  gaps.clear()
  t.true(gaps.empty)
  t.is(gaps.end, 0)
})
