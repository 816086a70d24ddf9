// One comparison at a time, however many changes there are; and when it gives way.
import test from 'ava'
import { KtError } from '../../../lib/errors.ts'
import { Reconciler } from '../../../lib/session/traffic-in/reconciler.ts'

function make(reconcile: () => Promise<void>, healsMax = 3): { loop: Reconciler; warnings: string[] } {
  const warnings: string[] = []
  const loop = new Reconciler({
    service: 'shop',
    healsMax,
    reconcile,
    report: event => {
      if (event.event === 'warning') warnings.push(event.text)
    }
  })
  return { loop, warnings }
}

test('changes that come during a comparison are one more; before begin and after end there is none', async t => {
  let [running, most, times] = [0, 0, 0]
  const { loop } = make(async () => {
    running += 1
    most = Math.max(most, running)
    times += 1
    await new Promise(setImmediate)
    running -= 1
  })
  loop.look()
  await new Promise(setImmediate)
  t.is(times, 0)
  loop.begin()
  loop.look()
  await Promise.resolve() // it has begun
  await Promise.resolve()
  for (let i = 0; i < 5; i++) loop.look()
  await loop.end()
  loop.look()
  await loop.end()
  t.is(most, 1)
  t.true(times <= 2, `${times}`)
})

test('what a comparison throws is said, and the next change tries again', async t => {
  let times = 0
  const { loop, warnings } = make(async () => {
    times += 1
    if (times === 1) throw new Error('no such pod')
  })
  loop.begin()
  for (const wanted of [1, 2]) {
    loop.look()
    while (times < wanted) await new Promise(setImmediate)
  }
  await loop.end()
  t.deepEqual(warnings, ['service shop: no such pod'])
})

test('the same trouble is said once, what was mended each time', t => {
  const { loop, warnings } = make(async () => {})
  loop.say('gone')
  loop.say('gone')
  t.is(loop.said, 'gone')
  loop.say('')
  loop.say('gone')
  loop.sayMended('changed back')
  t.is(loop.said, '')
  loop.sayMended('changed back')
  t.deepEqual(warnings, ['gone', 'gone', 'changed back', 'changed back'])
})

test('so many healings and no more; what is lost is a conflict, and ends it', async t => {
  let times = 0
  const { loop } = make(async () => {
    times += 1
  }, 2)
  t.deepEqual([loop.mayHeal(), loop.mayHeal(), loop.mayHeal()], [true, true, false])
  loop.begin()
  loop.lose('somebody else has it')
  loop.look()
  await loop.end()
  t.is(times, 0)
  const lost = await loop.lost
  t.true(lost instanceof KtError && lost.code === 'KT_CONFLICT' && lost.message === 'somebody else has it')
})
