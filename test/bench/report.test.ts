import test from 'ava'
import { table } from '../../bench/harness/report.ts'
import { row } from '../../bench/harness/rows.ts'
import { spread } from '../../bench/harness/statistics.ts'

const where = (what: string) => ({ case: 'relay', what, unit: 'MB/s' })

test('a ratio is printed with its spread', t => {
  const against = { baseline: 200, ratio: spread([0.97, 1.05, 1.12]) }
  const rows = [
    row(where('down: kubectl'), spread([200])),
    row(where('down: kt up'), spread([190, 210, 220]), { against, goal: { of: 'ratio', least: 1.1 } })
  ]
  const [head, baseline, kt] = table(rows).split('\n')
  t.deepEqual(head!.trim().split(/ {2,}/), ['median', 'min … max', 'baseline', 'ratio', 'min … max', 'goal'])
  t.deepEqual(baseline!.split(/ {2,}/), ['down: kubectl', '200', 'MB/s'])
  const cells = ['down: kt up', '210', 'MB/s', '190 … 220', '200', '1.05 ×', '0.97 … 1.12', '≥ × 1.1', 'missed by 5 %']
  t.deepEqual(kt!.split(/ {2,}/), cells)
})

test('parts of a way stand in a table of their own, with plain values', t => {
  const against = { baseline: 2, ratio: spread([0.5]) }
  const rows = ['client', 'sum'].map(part =>
    row({ case: 'relay', what: `CPU, down: kt up: ${part}`, unit: 's/GiB' }, spread([1]), { against })
  )
  const [head, line] = table(rows).trim().split('\n')
  t.deepEqual(head!.split(/ {2,}/), ['CPU, down [s/GiB]', 'client', 'sum'])
  t.deepEqual(line!.split(/ {2,}/), ['kt up', '1.00', '1.00'])
})
