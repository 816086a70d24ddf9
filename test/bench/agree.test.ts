import test from 'ava'
import { agreement } from '../../bench/harness/agree.ts'
import { row } from '../../bench/harness/rows.ts'
import { spread } from '../../bench/harness/statistics.ts'

const measured = (what: string, ...values: number[]) => row({ case: 'relay', what, unit: 'MB/s' }, spread(values))

test('two runs agree where their spreads meet; where not, both are said', t => {
  const rows = [measured('down', 180, 190, 200), measured('up', 100, 110, 120), measured('both', 1)]
  const others = [measured('down', 170, 175, 181), measured('up', 121, 130, 140), measured('once', 1)]
  t.is(
    agreement(rows, others, 'a.json'),
    'the spreads of 1 of 2 lines meet those of a.json\n  up: 100 … 120, there 121 … 140 MB/s'
  )
})

test('a line without a value agrees with nothing, and with the same run all others do', t => {
  const rows = [measured('down', 180, 200), measured('failed')]
  t.is(agreement(rows, rows, 'a.json'), 'the spreads of 1 of 1 lines meet those of a.json')
})
