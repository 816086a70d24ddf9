import test from 'ava'
import { againstWay, figures, interleave, rowsByWay } from '../../bench/harness/rounds.ts'
import type { Way } from '../../bench/ways/way.ts'

const way = (name: string): Way => ({
  name,
  target: () => undefined,
  generator: undefined as never,
  pids: [],
  close: async () => {}
})

const [kubectl, kt, ssh] = ['kubectl', 'kt', 'ssh'].map(way) as [Way, Way, Way]

/** Notes what is measured, in order. */
function journal(rounds: number) {
  const log: string[] = []
  const notes: string[] = []
  const progress: string[] = []
  const context = { rounds, note: (text: string) => notes.push(text), progress: (text: string) => progress.push(text) }
  return { log, notes, progress, context }
}

test('each round measures all things, each by all ways, the baseline first and last', async t => {
  const { log, progress, context } = journal(2)
  const thing = (what: string) => ({ what, measure: async (by: Way) => log.push(`${what} ${by.name}`) })
  const [down] = await interleave(context, [kubectl, kt], [thing('down'), thing('up')])
  const round = ['down kubectl', 'down kt', 'down kubectl', 'up kubectl', 'up kt', 'up kubectl']
  t.deepEqual(log, [...round, ...round])
  t.is(progress[6], 'round 2/2: down: kubectl')
  t.deepEqual(down!.get(kubectl), [
    [1, 3],
    [7, 9]
  ])
  t.deepEqual(down!.get(kt), [[2], [8]])
})

test('a way that fails is noted once and left out of that thing from then on, and only of that', async t => {
  const { log, notes, context } = journal(3)
  let tries = 0
  const down = {
    what: 'down',
    measure: async (by: Way) => {
      if (by === kt && ++tries === 2) throw new Error('broken')
      return 1
    }
  }
  const up = { what: 'up', measure: async (by: Way) => log.push(by.name) }
  const [downs] = await interleave(context, [kubectl, kt, ssh], [down, up])
  t.is(tries, 2)
  t.deepEqual(notes, ['down: kt failed: broken'])
  t.deepEqual(downs!.get(kt), [[1], [], []])
  t.deepEqual(downs!.get(ssh), [[1], [1], [1]])
  t.is(log.filter(name => name === 'kt').length, 3)
})

test('a way that cannot do a thing is not asked, and where the baseline cannot, nobody is measured twice', async t => {
  const { log, notes, context } = journal(1)
  const udp = { what: 'udp', measure: async (by: Way) => log.push(by.name), can: (by: Way) => by !== kubectl }
  const [measured] = await interleave(context, [kubectl, kt, ssh], [udp])
  t.deepEqual(log, ['kt', 'ssh'])
  t.deepEqual(notes, [])
  t.false(measured!.has(kubectl))
})

test('rows are compared with the baseline of their round, and judged by the median of the ratios', t => {
  const measured = new Map([
    [kubectl, [[100, 100], [50, 50], [20]]],
    [kt, [[110], [45], [21]]],
    [ssh, [[], [], []]]
  ])
  const of = figures(measured, value => value)
  const rows = rowsByWay(of, ({ name }) => ({ case: 'relay', what: name, unit: 'MB/s' }), {
    against: againstWay(of, kubectl),
    goal: by => (by === kt ? { of: 'ratio', least: 1 } : undefined)
  })
  t.deepEqual(
    rows.map(({ what }) => what),
    ['kubectl', 'kt']
  )
  t.like(rows[0], { value: 50, min: 20, max: 100, baseline: null, ratio: null, ratioMin: null, ratioMax: null })
  // The ratio of the medians would miss the goal.
  t.like(rows[1], { value: 45, baseline: 50, ratio: 1.05, ratioMin: 0.9, ratioMax: 1.1, goal: '≥ × 1', met: true })
})

test('where the baseline has failed there is no ratio, and no judgement', t => {
  const measured = new Map([
    [kubectl, [[]]],
    [kt, [[110]]]
  ])
  const of = figures(measured, value => value)
  const [row] = rowsByWay(of, ({ name }) => ({ case: 'relay', what: name, unit: 'MB/s' }), {
    against: againstWay(of, kubectl),
    goal: () => ({ of: 'ratio', least: 1 })
  })
  t.like(row, { value: 110, baseline: null, ratio: null, met: null })
})
