import test from 'ava'
import { failedFiles, failedTitles, failureDetails, summary, tapCounts } from '../e2e/_support/counts.ts'

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

const FILES = ['/e2e/up/load.test.ts', '/e2e/up/peers.test.ts', '/e2e/up/peers/iperf3.test.ts']
const FAILED =
  'ok 1 - load › a\nnot ok 2 - peers › iperf3 › b › c\n# peers › d\nok 3 - peers › iperf3 › e\nok 4 - peers › f\n'

test('which files have failed, and how far they came', t => {
  t.deepEqual(failedTitles(FAILED), ['peers › iperf3 › b › c'])
  t.deepEqual(failedFiles(FAILED, '/e2e/up', FILES), new Map([[FILES[2]!, { passed: 1, failed: 1 }]]))
  t.deepEqual(
    failedFiles('ok 1 - a\nnot ok 2 - b\n', '/e2e/up', [FILES[0]!]),
    new Map([[FILES[0]!, { passed: 1, failed: 1 }]]),
    'AVA leaves out the file where there is one'
  )
})

test('what AVA says of a failed test, for the end of a long output', t => {
  const said = `  ---\n    name: AssertionError\n    message: ${'x'.repeat(1000)}\n  ...\n`
  const details = failureDetails(`ok 1 - a\nnot ok 2 - b › c\n${said}# after hook\nok 3 - d\n`)
  t.deepEqual(
    details.map(line => line.slice(0, 40)),
    [
      'failed test: b › c',
      'failed test:   ---',
      'failed test:     name: AssertionError',
      'failed test:     message: xxxxxxxxxxxxxx',
      'failed test:   ...'
    ]
  )
  t.true(details.every(line => line.length < 500))
  t.deepEqual(failureDetails('ok 1 - a\n'), [])
})

test('a failure that is no file’s is not tried again', t => {
  t.is(failedFiles('ok 1 - load › a\nnot ok 2 - nobody knows\n', '/e2e/up', FILES), undefined)
})
