// What `kt bench` says about its figures.
import test from 'ava'
import { type BenchFigure, verdicts } from '../../lib/session/bench.ts'

const steady = (median: number) => ({ median, min: median * 0.9, max: median * 1.1 })

function figure(what: BenchFigure['what'], bare: number, kt: number): BenchFigure {
  const unit = what === 'download' || what === 'upload' ? 'MB/s' : 'ms'
  return { what, unit, bare: steady(bare), kt: steady(kt), ratio: kt / bare }
}

test('a sentence for each figure', t => {
  const figures = [
    figure('download', 200, 190),
    figure('upload', 200, 120),
    figure('round trip', 0.4, 0.6),
    figure('round trip during a download', 60, 10)
  ]
  t.deepEqual(verdicts(figures), [
    'download: as on a bare port-forward',
    'upload: 60 % of what a bare port-forward carries',
    'round trip: 0.20 ms more than on a bare port-forward',
    'round trip during a download: 50.00 ms less than on a bare port-forward'
  ])
})

test('a baseline that varies much is said to', t => {
  const wild = { ...figure('download', 100, 50), bare: { median: 100, min: 30, max: 120 } }
  t.deepEqual(verdicts([wild, figure('upload', 100, 100)]), [
    'download: 50 % of what a bare port-forward carries',
    'upload: as on a bare port-forward',
    'The bare port-forward alone varies by more than 2 × here (download): read the ratios with care'
  ])
})
