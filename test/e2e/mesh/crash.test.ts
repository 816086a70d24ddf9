// kt mesh: the laptop, a router, the shadow end without a word, at 200 requests/s that are for nobody in particular.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { kubectl } from '../_support/kubectl.ts'
import { objects } from '../traffic-in/_support/objects.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { clear, endAll, kt, mesh, NAMESPACE, prepare } from './_support/ground.ts'
import { type Answer, callers, errorsOf, whoAnswers } from './_support/requests.ts'

const NORMAL = { service: 'shop', connections: 20, intervalMs: 100, versions: [''], forMs: 120_000 }

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

/** Pods that a label selects. */
async function pods(selector: string): Promise<string[]> {
  const names = await kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', selector, '-o', 'name'])
  return names.split('\n').filter(Boolean)
}

const kill = (pod: string): Promise<string> =>
  kubectl(['-n', NAMESPACE, 'delete', pod, '--force', '--grace-period=0', '--wait=false'])

const rolledOut = (): Promise<string> =>
  kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/shop-kt-router', '--timeout=30s'])

/** From the first error to the last, ms: the kubelet takes its time until it kills. */
function outage(answers: Answer[]): number {
  const errors = answers.filter(({ by }) => by.startsWith('error')).map(({ at }) => at)
  return errors.length === 0 ? 0 : Math.max(...errors) - Math.min(...errors)
}

test.serial('a dead laptop, then a dead shadow: nobody else notices; the shadow comes back with its route', async t => {
  const before = await objects(NAMESPACE)
  const [blue, green] = await Promise.all([mesh('shop', 'blue'), mesh('shop', 'green')])
  const calls = await callers(NORMAL)
  await delay(2_000)
  await blue.stop('SIGKILL')
  const killed = Date.now()
  t.is(await eventually('pod', 10_000, () => whoAnswers('shop', 'blue')), 'pod')
  t.log(`requests of the dead laptop are answered by the original pods after ${Date.now() - killed} ms`)
  const [shadow = ''] = (await pods('kt-role=shadow-mesh')).filter(name => name.includes('-green'))
  await kill(shadow)
  t.is(await eventually('local green', 30_000, () => whoAnswers('shop', 'green')), 'local green')
  await delay(1_000)
  const answers = await calls.end()
  t.log(`${answers.length} requests without a header, ${errorsOf(answers).length} errors`)
  t.deepEqual(errorsOf(answers), [])
  t.deepEqual([...new Set(answers.map(({ by }) => by.split(' ')[0]))], ['pod'])
  t.is((await green.stop()).code, 0)
  t.is((await kt('recover', 'shop')).code, 0)
  await asBefore(t, before)
})

test.serial('a router is killed: back within 3 s, with its routes', async t => {
  const before = await objects(NAMESPACE)
  const blue = await mesh('shop', 'blue')
  const calls = await callers(NORMAL)
  await delay(2_000)
  const [router = ''] = await pods('kt-role=router')
  await kill(router)
  await delay(4_000) // the kubelet kills two seconds later
  await rolledOut()
  const answers = await calls.end()
  const kinds = new Set(answers.map(({ by }) => by).filter(by => by.startsWith('error')))
  t.log(`${answers.length} requests, ${errorsOf(answers).length} errors within ${outage(answers)} ms`, ...kinds)
  t.true(outage(answers) < 3_000, errorsOf(answers).slice(-5).join('\n'))
  t.is(await whoAnswers('shop', 'blue'), 'local blue')
  t.is((await blue.stop()).code, 0)
  await asBefore(t, before)
})

test.serial('a node is drained of its router: no error', async t => {
  const before = await objects(NAMESPACE)
  const blue = await mesh('shop', 'blue')
  const calls = await callers(NORMAL)
  await delay(1_000)
  const [router = ''] = await pods('kt-role=router')
  const node = await kubectl(['-n', NAMESPACE, 'get', router, '-o', 'jsonpath={.spec.nodeName}'])
  try {
    // It returns when the router has gone.
    await kubectl(['drain', node, '--pod-selector=kt-role=router', '--timeout=50s'], { timeoutMs: 60_000 })
  } finally {
    await kubectl(['uncordon', node])
  }
  await rolledOut()
  const answers = await calls.end()
  t.log(`${answers.length} requests, ${errorsOf(answers).length} errors`)
  t.deepEqual(errorsOf(answers).slice(0, 10), [])
  t.is(await whoAnswers('shop', 'blue'), 'local blue')
  t.is((await blue.stop()).code, 0)
  await asBefore(t, before)
})
