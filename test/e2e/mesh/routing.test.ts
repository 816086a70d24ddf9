// kt mesh: two laptops, one service; each request reaches whom it is for, and nobody notices who comes and goes.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { objects } from '../traffic-in/_support/objects.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { clear, endAll, kt, mesh, NAMESPACE, prepare } from './_support/ground.ts'
import { ask, callers, errorsOf, whoAnswers, wrong } from './_support/requests.ts'

/** `KT_TEST_REQUESTS=10000` for the long run. */
const REQUESTS = Number(process.env.KT_TEST_REQUESTS ?? 2_000)
/** How long the second one works after the first has left, ms; `KT_TEST_WORK_MS=420000` for the long run. */
const WORK_MS = Number(process.env.KT_TEST_WORK_MS ?? 4_000)

test.before(prepare)
test.after.always(clear)
test.afterEach.always(endAll)

async function asBefore(t: ExecutionContext, before: string[]): Promise<void> {
  let now = { gone: [''], come: [''] }
  await eventually(true, 20_000, async () => {
    now = difference(before, await objects(NAMESPACE))
    return now.gone.length + now.come.length === 0
  })
  t.deepEqual(now, { gone: [], come: [] })
}

for (const service of ['shop', 'cart']) {
  test.serial(
    `${service}: by header to the laptop, everything else to the pods, and all objects as before`,
    async t => {
      const before = await objects(NAMESPACE)
      const running = await mesh(service, 'blue')
      t.regex(running.output(), /^ Now you can access your service by header 'VERSION: blue'$/m)
      t.is(await eventually('local blue', 10_000, () => whoAnswers(service, 'blue')), 'local blue') // a busy node hears late
      t.is(await whoAnswers(service, ''), 'pod')
      t.is(await whoAnswers(service, 'nobody'), 'pod')
      const ended = await running.stop()
      t.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
      t.is(await whoAnswers(service, 'blue'), 'pod')
      await asBefore(t, before)
    }
  )
}

test.serial(
  `${REQUESTS} requests on 50 kept-alive connections of two versions: each reaches the right one`,
  async t => {
    const before = await objects(NAMESPACE)
    const [blue, green] = await Promise.all([mesh('shop', 'blue'), mesh('shop', 'green')])
    const versions = ['blue', 'green', 'nobody', '']
    const answers = await ask({ service: 'shop', connections: 50, requests: REQUESTS, forMs: 240_000, versions })
    t.is(answers.length, REQUESTS)
    t.deepEqual(errorsOf(answers), [])
    for (const [version, by] of [
      ['blue', 'local blue'],
      ['green', 'local green'],
      ['nobody', 'pod'],
      ['-', 'pod']
    ] as const)
      t.deepEqual(wrong(answers, version, by).slice(0, 5), [])
    await Promise.all([blue.stop(), green.stop()])
    await asBefore(t, before)
  }
)

test.serial('one leaves, one works on, one joins, all leave: no error for anybody', async t => {
  t.timeout(WORK_MS + 240_000)
  const before = await objects(NAMESPACE)
  const [blue, green] = await Promise.all([mesh('shop', 'blue'), mesh('shop', 'green')])
  const met = Date.now()
  const forMs = WORK_MS + 180_000
  const load = { service: 'shop', connections: 10, forMs, intervalMs: 50, versions: ['blue', 'green', 'red', ''] }
  const calls = await callers(load)
  await delay(2_000)
  const asked = Date.now()
  t.is((await blue.stop()).code, 0)
  const left = Date.now()
  await delay(WORK_MS)
  const red = await mesh('shop', 'red')
  const joined = Date.now()
  await delay(2_000)
  const leaving = Date.now()
  t.is((await green.stop()).code, 0)
  t.is((await red.stop()).code, 0)
  const gone = Date.now()
  await delay(1_000)
  const answers = await calls.end()
  t.log(`${answers.length} requests, ${errorsOf(answers).length} errors; last one out after ${gone - leaving} ms`)
  t.deepEqual(errorsOf(answers).slice(0, 10), [])
  t.deepEqual(wrong(answers, 'blue', 'local blue', met, asked).slice(0, 5), [])
  t.deepEqual(wrong(answers, 'blue', 'pod', left).slice(0, 5), [])
  t.deepEqual(wrong(answers, 'green', 'local green', met, leaving).slice(0, 5), [])
  t.deepEqual(wrong(answers, 'red', 'local red', joined, leaving).slice(0, 5), [])
  t.deepEqual(wrong(answers, '-', 'pod').slice(0, 5), [])
  await asBefore(t, before)
  t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
})

test.serial('the last one leaves while another one comes: he is in, whatever the order of their writes', async t => {
  const before = await objects(NAMESPACE)
  let here = await mesh('shop', 'blue')
  for (const color of ['green', 'red'] as const) {
    const leaving = here
    const [left, came] = await Promise.all([leaving.stop(), mesh('shop', color)])
    t.is(left.code, 0, left.stderr)
    t.is(await eventually(`local ${color}`, 10_000, () => whoAnswers('shop', color)), `local ${color}`)
    here = came
  }
  t.is((await here.stop()).code, 0)
  await asBefore(t, before)
})
