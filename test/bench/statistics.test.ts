import test from 'ava'
import { paired, pairs, spread, unpaired } from '../../bench/harness/statistics.ts'

test('a spread is median, least and most, also of an even number, and of nothing', t => {
  t.deepEqual(spread([3, 1, 2]), { median: 2, min: 1, max: 3 })
  t.deepEqual(spread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 })
  t.deepEqual(spread([]), { median: Number.NaN, min: Number.NaN, max: Number.NaN })
})

test('pairs are the means of each round; a round that lacks one of the two is left out', t => {
  t.deepEqual(pairs([[8], [6], [], [4, 6]], [[3, 5], [], [1], [10]]), [
    [8, 4],
    [5, 10]
  ])
})

test('a machine that slows down to a half changes the values, not the paired ratios', t => {
  const pace = [1, 0.9, 0.75, 0.6, 0.5]
  const ours = pace.map(by => [110 * by])
  const baseline = pace.map(by => [90 * by, 110 * by])
  const { ratio, baseline: median } = paired(ours, baseline)!
  for (const value of [ratio.min, ratio.median, ratio.max]) t.true(Math.abs(value - 1.1) < 1e-9, String(value))
  t.is(median, spread(baseline.flat()).median)
})

test('the ratio is the median of the ratios of the rounds, not the ratio of the medians', t => {
  const { ratio } = paired([[10], [20], [90]], [[10], [40], [30]])!
  t.deepEqual(ratio, { median: 1, min: 0.5, max: 3 })
})

test('what did not take a tick is no baseline, and without any there is no comparison', t => {
  t.deepEqual(paired([[1], [1]], [[0], [2]])!.ratio, { median: 0.5, min: 0.5, max: 0.5 })
  t.is(paired([[1]], [[0]]), undefined)
  t.is(paired([[1], []], [[], [1]]), undefined)
})

test('of things measured at different times any may have met any', t => {
  t.deepEqual(unpaired({ median: 2, min: 1, max: 4 }, { median: 4, min: 2, max: 8 }), {
    baseline: 4,
    ratio: { median: 0.5, min: 0.125, max: 2 }
  })
})
