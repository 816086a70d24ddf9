// kt exchange --mode scale: the workload goes to 0 and comes back, and no caller notices. As a user with a Role, under Pod Security `restricted`.
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import type { RunningKt } from '../_support/kt.ts'
import { startCommand } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { becomes, becomesTcpAndUdp, SOON_MS, startCalls, urlOf, whoAnswers } from './_support/callers.ts'
import {
  allow,
  applyAll,
  clear,
  HOME,
  HTTP,
  kt,
  NAMESPACE,
  prepare,
  service,
  TCP,
  UDP,
  userFile
} from './_support/ground.ts'
import { programInPod } from './_support/programs.ts'
import { leadsToShadow, MODE_RULES, podsOf, replicas, written } from './_support/workloads.ts'

const NOTHING = { gone: [], come: [] }

test.before(async () => {
  await prepare('shop', 'stock', 'cart')
  await allow(MODE_RULES)
})
test.after.always(clear)
test.beforeEach(async t => {
  t.context = await written()
})
test.afterEach(async t => {
  t.deepEqual(difference(t.context as string[], await written()), NOTHING)
  t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
})

async function scaled(target: string, expose: string, workload: string, ...args: string[]): Promise<RunningKt> {
  const [kind, name] = workload.split(' ')
  return await startCommand(
    ['exchange', target, '--mode', 'scale', '--expose', expose, '--kubeconfig', userFile(), ...args],
    `Now all request to ${kind} '${name}' will be redirected to local`,
    HOME
  )
}

test.serial(
  'a Deployment at 100 requests/s on new connections: no error from start to end, its pods gone meanwhile',
  async t => {
    const url = await urlOf('shop')
    const callers = startCalls(url, 10)
    const kept = await programInPod('keep-alive.mjs', 'http://shop/')
    const running = await scaled('shop', `${HTTP}:80,${TCP}:7000,${UDP}:7000/udp`, 'deployment shop')
    await becomes(t, url, 'local')
    const led = Date.now()
    t.is(await replicas('deployment/shop'), '0/')
    t.is(await eventually(0, SOON_MS, async () => (await podsOf('shop')).length), 0)
    await becomesTcpAndUdp(t, 'shop', 'local hi, local hi')
    t.is(await whoAnswers(url), 'local')
    const asked = Date.now()
    const ended = await running.stop()
    const back = Date.now()
    t.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
    t.is(await replicas('deployment/shop'), '2/2')
    t.log(`ready after ${Math.round(running.readyMs)} ms, put back in ${back - asked} ms`)
    const answers = await callers.stop()
    await kept.stop()
    t.log(`${answers.length} requests`)
    t.deepEqual(
      answers.filter(({ by }) => by.startsWith('error')),
      []
    )
    const meanwhile = answers.filter(({ at }) => at > led && at < asked - 200)
    t.deepEqual([...new Set(meanwhile.map(({ by }) => by))], ['local'])
    const lines = kept.output().split('\n')
    const ports = (who: string): string[] =>
      lines.filter(line => line.endsWith(who)).map(line => line.split(' ')[0] ?? '')
    t.true(ports('local').length > 0, kept.output())
    const [here, there] = [new Set(ports('local')), new Set(ports('pod'))]
    t.true(there.size < ports('pod').length, 'a connection is kept alive')
    t.deepEqual(
      [...here].filter(port => there.has(port)),
      [],
      'it is cut; here comes a new one'
    )
  }
)

test.serial('a StatefulSet by its name, ended by SIGTERM', async t => {
  const running = await scaled('sts/stock', `${HTTP}:8080`, 'statefulset stock')
  await becomes(t, 'http://stock/', 'local')
  t.is(await eventually(0, SOON_MS, async () => (await podsOf('stock')).length), 0)
  t.is((await running.stop('SIGTERM')).code, 0)
  await becomes(t, 'http://stock/', 'pod')
  t.is(await replicas('statefulset/stock'), '2/2')
})

test.serial(
  'a workload behind two services: both lead here, a second user is refused at either, recover puts both back',
  async t => {
    const running = await scaled('cart', `${HTTP}:80`, 'deployment cart')
    await becomes(t, 'http://cart/', 'local')
    t.true(await eventually(true, SOON_MS, () => leadsToShadow('cart-headless')))
    for (const args of [['cart-headless'], ['cart', '--mode', 'scale'], ['deploy/cart', '--mode', 'scale']]) {
      const { code, stderr } = await kt('exchange', ...args, '--expose', `${HTTP}:8080`)
      t.is(code, 4)
      t.regex(stderr, /^kt: service 'cart(-headless)?' is already exchanged by \S+ on \S+, last seen \d+ s ago/)
    }
    await running.stop('SIGKILL')
    const recovered = await kt('recover', 'cart-headless')
    t.is(recovered.code, 0, recovered.stderr)
    t.regex(recovered.stdout, /^✓ Deployment cart scaled back to 2, 2 ready\n✓ Original service cart recovered/)
    await becomes(t, 'http://cart/', 'pod')
  }
)

test.serial(
  'SIGKILL, then clean once it has been silent, or the owner again: his replicas are not forgotten',
  async t => {
    const killed = await scaled('shop', `${HTTP}:80`, 'deployment shop')
    await killed.stop('SIGKILL')
    t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
    const again = await scaled('deploy/shop', `${HTTP}:80`, 'deployment shop')
    t.regex(again.output(), /left behind by an earlier exchange: Deployment shop scaled back to 2, 2 ready/)
    await again.stop('SIGKILL')
    const beat = ['kt-last-heart-beat=1000', '--overwrite']
    await kubectl(['-n', NAMESPACE, 'annotate', 'service', 'shop-kt-stuntman', ...beat])
    await kubectl(['-n', NAMESPACE, 'annotate', 'pods', '-l', 'kt-role=shadow-exchange', ...beat])
    t.is((await kt('clean', '--dryRun')).stdout, '  service shop would be put back\n')
    const cleaned = await kt('clean')
    t.is(cleaned.code, 0, cleaned.stderr)
    t.is(await replicas('deployment/shop'), '2/2')
    await becomes(t, 'http://shop/', 'pod')
  }
)

test.serial('somebody else scales it meanwhile: said, callers still come here, and his number stays', async t => {
  const running = await scaled('shop', `${HTTP}:80`, 'deployment shop')
  await kubectl(['-n', NAMESPACE, 'scale', 'deployment/shop', '--replicas=1'])
  t.true(
    await eventually(true, SOON_MS, async () =>
      running.output().includes('Deployment shop was scaled to 1 by somebody else')
    )
  )
  await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/shop', '--timeout=30s'])
  t.is(await whoAnswers('http://shop/'), 'local')
  const ended = await running.stop()
  t.is(ended.code, 0)
  t.regex(ended.stdout, /Deployment shop stays at 1, as somebody else has set it/)
  await becomes(t, 'http://shop/', 'pod')
  await kubectl(['-n', NAMESPACE, 'scale', 'deployment/shop', '--replicas=2'])
  await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/shop', '--timeout=30s'])
})

test.serial('autoscalers are named, with what they will do', async t => {
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' }
  await applyAll([
    KEDA,
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'shop', namespace: NAMESPACE },
      spec: { scaleTargetRef: target, minReplicas: 2, maxReplicas: 5 }
    }
  ])
  await kubectl(['wait', '--for=condition=established', 'crd/scaledobjects.keda.sh', '--timeout=20s'])
  await applyAll([
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'shop-queue', namespace: NAMESPACE },
      spec: { scaleTargetRef: { name: 'shop' } }
    }
  ])
  const running = await scaled('shop', `${HTTP}:80`, 'deployment shop')
  t.regex(running.output(), /HorizontalPodAutoscaler shop \(2 to 5\) rests while Deployment shop is at 0/)
  t.regex(running.output(), /ScaledObject shop-queue of KEDA scales Deployment shop up from 0 again/)
  t.is((await running.stop()).code, 0)
  await kubectl(['delete', 'crd/scaledobjects.keda.sh'])
  await kubectl(['-n', NAMESPACE, 'delete', 'hpa/shop'])
})

test.serial(
  'refused before anything is changed: no workload that can be scaled, two of them, a right that is missing',
  async t => {
    await applyAll([service('both', [{ port: 80, targetPort: 8080 }], { selector: { tier: 'none' } })])
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await kt('exchange', ...args, '--mode', 'scale', '--expose', `${HTTP}:80`)
      return `${code} ${stderr.split('\n')[0]}`
    }
    t.is(await refused('both'), '2 kt: no Deployment or StatefulSet is behind service both: nothing can be scaled to 0')
    t.is(await refused('deploy/none'), '4 kt: there is no deployment "none" in namespace traffic-in-scale')
    await kubectl(['-n', NAMESPACE, 'delete', 'service', 'both'])
    await allow(MODE_RULES.filter(({ resource }) => resource !== 'deployments/scale'))
    await delay(300)
    t.regex(
      await refused('shop'),
      /^4 kt: user "developer" may not (get|patch) deployments\.apps\/scale in namespace traffic-in-scale/
    )
    await allow(MODE_RULES)
  }
)

const KEDA = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'scaledobjects.keda.sh' },
  spec: {
    group: 'keda.sh',
    names: { kind: 'ScaledObject', listKind: 'ScaledObjectList', plural: 'scaledobjects', singular: 'scaledobject' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
      }
    ]
  }
}
