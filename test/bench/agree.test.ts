import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { agreement, earlierRows } from '../../bench/harness/agree.ts'
import { row } from '../../bench/harness/rows.ts'
import { spread } from '../../bench/harness/statistics.ts'

const BENCH = join(import.meta.dirname, '../../bench/run.ts')

const measured = (what: string, ...values: number[]) => row({ case: 'relay', what, unit: 'MB/s' }, spread(values))

/** A row with these ratios to a baseline. */
const compared = (what: string, value: number, ...ratios: number[]) =>
  row({ case: 'relay', what, unit: 'MB/s' }, spread([value]), { against: { baseline: 200, ratio: spread(ratios) } })

test('figures without a baseline agree where their spreads meet; where not, both are said', t => {
  const rows = [measured('down', 180, 190, 200), measured('up', 100, 110, 120), measured('both', 1)]
  const others = [measured('down', 170, 175, 181), measured('up', 121, 130, 140), measured('once', 1)]
  t.is(
    agreement(rows, others, 'a.json'),
    'the spreads of 0 of 0 ratios and of 1 of 2 figures without a baseline meet those of a.json\n' +
      '  up: 100 … 120, there 121 … 140 MB/s'
  )
})

test('lines with a baseline agree where the spreads of their ratios meet, whatever their values', t => {
  const rows = [compared('down', 200, 0.9, 1, 1.1), compared('up', 200, 0.9, 1, 1.1), measured('kubectl', 200, 210)]
  const others = [compared('down', 100, 1.1, 1.2, 1.3), compared('up', 200, 1.12, 1.2, 1.3), measured('kubectl', 205)]
  t.is(
    agreement(rows, others, 'a.json'),
    'the spreads of 1 of 2 ratios and of 1 of 1 figures without a baseline meet those of a.json\n' +
      '  up: 0.90 … 1.10, there 1.12 … 1.30 ×'
  )
})

test('where one run has no ratio, the values are compared', t => {
  const says = agreement([compared('down', 200, 1)], [measured('down', 100)], 'a.json')
  t.regex(says, /0 of 0 ratios and of 0 of 1 figures/)
})

test('a line without a value in either run agrees with nothing, and with the same run all others do', t => {
  const rows = [measured('down', 180, 200), measured('failed')]
  const says = 'the spreads of 0 of 0 ratios and of 1 of 1 figures without a baseline meet those of a.json'
  t.is(agreement(rows, rows, 'a.json'), says)
  // As JSON has it, where what is not a number is null.
  const others = earlierRows(JSON.stringify(rows), 'a.json')
  t.is(agreement([measured('down', 180), measured('failed', 0)], others, 'a.json'), says)
})

test('the JSON of a run can be read again; of an older form it is refused, with its name', t => {
  const rows = [compared('down', 200, 0.9, 1), measured('up', 100)]
  t.deepEqual(earlierRows(JSON.stringify(rows), 'a.json'), rows)
  const older = rows.map(({ ratioMin: _, ratioMax: __, ...rest }) => rest)
  t.throws(() => earlierRows(JSON.stringify(older), 'a.json'), { message: /^a\.json is of an older form[^\n]*$/ })
  t.throws(() => earlierRows('{}', 'a.json'), { message: /older form/ })
})

test('npm run bench says so before anything is measured', t => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-bench-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'older.json')
  writeFileSync(file, '[{"case": "names", "what": "A", "unit": "1/s", "value": 1, "min": 1, "max": 1, "ratio": null}]')
  const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, 'names', '--quick', '--against', file], {
    encoding: 'utf8'
  })
  t.is(status, 1)
  t.is(stdout, '')
  t.regex(stderr, /^older\.json is of an older form[^\n]*\n$/)
})
