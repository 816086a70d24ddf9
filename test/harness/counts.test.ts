import test from 'ava'
import { summary, tapCounts } from '../e2e/_support/counts.ts'

const TAP = (pass: number, fail: number): string =>
  `TAP version 13\nok 1 - a\n# pass 99 of them\n\n1..2\n# tests 2\n# pass ${pass}\n# fail ${fail}\n`

test('the counts at the end of the TAP', t => {
  t.deepEqual(tapCounts(TAP(5, 2), 1), { passed: 5, failed: 2 })
  t.deepEqual(tapCounts(TAP(5, 0), 0), { passed: 5, failed: 0 })
})

test('a run that breaks off, or fails without a failed test, has failed', t => {
  t.deepEqual(tapCounts('TAP version 13\nok 1 - a\n', 1), { passed: 0, failed: 1 })
  t.deepEqual(tapCounts('', 0), { passed: 0, failed: 1 })
  t.deepEqual(tapCounts(TAP(5, 0), 1), { passed: 5, failed: 1 })
})

test('the last line adds up the areas', t => {
  t.is(summary([tapCounts(TAP(5, 2), 1), tapCounts(TAP(7, 0), 0)]), '12 passed, 2 failed')
})
