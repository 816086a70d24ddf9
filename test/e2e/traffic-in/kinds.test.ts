// kt exchange by selector of what the other tests do not have: a bare ReplicaSet, a DaemonSet, a service of UDP alone, a headless one of a StatefulSet.
import test from 'ava'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { becomes, SOON_MS, whoAnswers } from './_support/callers.ts'
import {
  applyAll,
  clear,
  exchange,
  HTTP,
  inPod,
  NAMESPACE,
  podsReady,
  prepare,
  service,
  UDP,
  workload
} from './_support/ground.ts'
import { leadsToShadow, written } from './_support/workloads.ts'

test.before(async () => {
  await prepare('stock', 'cart')
  await applyAll([
    workload('ReplicaSet', 'bare', 2),
    service('bare', [{ port: 80, targetPort: 'web' }]),
    workload('DaemonSet', 'every', 1),
    service('every', [{ port: 80, targetPort: 8080 }]),
    service('chat', [{ port: 53, targetPort: 7000, protocol: 'UDP' }], { selector: { app: 'cart' } }),
    service('stock-headless', [{ port: 8080 }], { clusterIP: 'None', selector: { app: 'stock' } })
  ])
  await podsReady()
  await kubectl([
    '-n',
    NAMESPACE,
    'wait',
    '--for=jsonpath={.status.readyReplicas}=2',
    'replicaset/bare',
    '--timeout=60s'
  ])
})
test.after.always(clear)

for (const [target, url, expose, how] of [
  ['bare', 'http://bare/', `${HTTP}:80`, /replaced, not narrowed: its pods belong to a ReplicaSet/],
  ['every', 'http://every/', `${HTTP}:80`, /replaced, not narrowed: its pods belong to a DaemonSet/]
] as const) {
  test.serial(`${target}: original, local, original, and all as before`, async t => {
    const before = await written()
    await becomes(t, url, 'pod') // kube-proxy on a busy node hears of a new service late
    const running = await exchange(target, expose)
    t.regex(running.output(), how)
    await becomes(t, url, 'local')
    t.is((await running.stop()).code, 0)
    await becomes(t, url, 'pod')
    t.deepEqual(difference(before, await written()), { gone: [], come: [] })
  })
}

/** What UDP port 53 of the service chat answers to `hi`. */
async function chat(): Promise<string> {
  return await inPod(`
    const u = require('node:dgram').createSocket('udp4')
    const done = text => { console.log(text); u.close(); clearTimeout(timer) }
    const timer = setTimeout(() => done('silence'), 3000)
    u.on('message', m => done(String(m))); u.send('hi', 53, 'chat')`)
}

test.serial('a service of UDP alone: original, local, original, and all as before', async t => {
  const before = await written()
  t.is(await chat(), 'hi\n')
  const running = await exchange('chat', `${UDP}:53/udp`)
  t.is(await eventually('local hi\n', SOON_MS, chat), 'local hi\n')
  t.is(await whoAnswers('http://cart/'), 'pod', 'its sister is left alone')
  t.is((await running.stop()).code, 0)
  t.is(await eventually('hi\n', SOON_MS, chat), 'hi\n')
  t.deepEqual(difference(before, await written()), { gone: [], come: [] })
})

test.serial('a headless service of a StatefulSet: its endpoints are the shadow, and as before afterwards', async t => {
  const before = await written()
  const running = await exchange('stock-headless', `${HTTP}:8080`)
  t.regex(running.output(), /stock-headless is headless: callers find the laptop when their DNS answer expires/)
  t.true(await eventually(true, SOON_MS, () => leadsToShadow('stock-headless')))
  t.is((await running.stop()).code, 0)
  t.is(await whoAnswers('http://stock-headless:8080/'), 'pod')
  t.deepEqual(difference(before, await written()), { gone: [], come: [] })
})
