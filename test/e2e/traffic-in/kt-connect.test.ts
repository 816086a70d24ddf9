// What kt-connect has left: refused, left alone while it lives, undone from its own annotations. Its objects are made here as it
// makes them: names, labels, annotations, selectors; its pods run the image of the test services in place of its own.
import test, { type ExecutionContext } from 'ava'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { SOON_MS, startCalls, urlOf, whoAnswers } from './_support/callers.ts'
import { allow, applyAll, clear, HTTP, kt, NAMESPACE, pod, prepare } from './_support/ground.ts'
import { MODE_RULES, replicas, written } from './_support/workloads.ts'

const TARGET = 'qwertyuiopasdfghjklz'
const CLEAN = 'No unavailing kt resource found (^.^)YYa!!\n'
const secondsAgo = (seconds: number): string => String(Math.floor(Date.now() / 1000) - seconds)

test.before(async () => {
  await prepare('shop', 'stock', 'cart')
  await allow(MODE_RULES)
})
test.after.always(clear)
test.beforeEach(async t => {
  t.context = await written()
})
test.afterEach.always(async () => {
  await kt('recover', '--all') // nothing, unless a test has failed
})

interface Made {
  name: string
  role: string
  config: string
  labels?: Record<string, string>
  /** Seconds since its last heartbeat. */
  silent?: number
}

/** A shadow or router of kt-connect with its ConfigMap, running. */
async function theirs({ name, role, config, labels = {}, silent = 10 }: Made): Promise<void> {
  const metadata = {
    name,
    namespace: NAMESPACE,
    labels: { 'control-by': 'kt', 'kt-role': role, ...labels },
    annotations: { 'kt-config': config, 'kt-user': 'bob', 'kt-last-heart-beat': secondsAgo(silent) }
  }
  await applyAll([
    { apiVersion: 'v1', kind: 'ConfigMap', metadata },
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: pod() }
  ])
  await kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s'])
}

/** The service now selects a pod of theirs; the original selector is in their annotation. */
async function redirect(service: string, role: string): Promise<void> {
  const body = {
    metadata: { annotations: { 'kt-selector': JSON.stringify({ app: service }) } },
    spec: { selector: { app: null, 'kt-role': role, 'kt-target': TARGET } }
  }
  await kubectl(['-n', NAMESPACE, 'patch', 'service', service, '--type=merge', '-p', JSON.stringify(body)])
}

async function silence(name: string): Promise<void> {
  for (const kind of ['pod', 'configmap'])
    await kubectl(['-n', NAMESPACE, 'annotate', kind, name, 'kt-last-heart-beat=1000', '--overwrite'])
}

async function refused(t: ExecutionContext, service: string): Promise<void> {
  const before = await written()
  for (const args of [
    ['exchange', service],
    ['exchange', service, '--mode', 'scale'],
    ['preview', service]
  ]) {
    const { code, stderr } = await kt(...args, '--expose', `${HTTP}:80`)
    t.is(code, 4)
    if (args[0] === 'preview') t.regex(stderr, /^kt: there is a service '\w+' already; nothing has been changed/)
    else t.regex(stderr, /^kt: service '\w+' is held by kt-connect \(bob\)\n {4}.*kt recover \w+ puts/)
  }
  t.deepEqual(difference(before, await written()), { gone: [], come: [] })
}

/** All as at the beginning of the test, and nothing of theirs left. */
async function asBefore(t: ExecutionContext): Promise<void> {
  t.deepEqual(difference(t.context as string[], await written()), { gone: [], come: [] })
  const left = (): Promise<string> =>
    kubectl(['-n', NAMESPACE, 'get', 'pods,services,configmaps', '-l', 'control-by=kt', '-o', 'name'])
  t.is(await eventually('', SOON_MS, left), '')
  t.is((await kt('clean', '--dryRun')).stdout, CLEAN)
}

for (const undo of ['recover', 'clean'] as const) {
  test.serial(`an exchange by selector, undone by ${undo} without an error for callers`, async t => {
    const shadow = 'shop-kt-exchange-abcde'
    await theirs({ name: shadow, role: 'shadow-exchange', config: 'service=shop', labels: { 'kt-target': TARGET } })
    await redirect('shop', 'shadow-exchange')
    await refused(t, 'shop')
    t.is((await kt('clean', '--dryRun')).stdout, CLEAN, 'fresh: left alone')
    const callers = startCalls(await urlOf('shop'), 20)
    if (undo === 'clean') await silence(shadow)
    const { code, stdout, stderr } = await kt(...(undo === 'clean' ? ['clean'] : ['recover', 'shop']))
    t.is(code, 0, stderr)
    t.is(stdout, `✓ Original service shop recovered: selects app=shop\n✓ Shadow pod ${shadow} removed\n`)
    t.deepEqual(
      (await callers.stop()).filter(({ by }) => by.startsWith('error')),
      []
    )
    await asBefore(t)
  })

  test.serial(`an exchange by scaling, undone by ${undo} without an error for callers`, async t => {
    const shadow = 'shop-kt-exchange-fghij'
    await theirs({ name: shadow, role: 'shadow-exchange', config: 'app=shop,replicas=2', labels: { app: 'shop' } })
    await kubectl(['-n', NAMESPACE, 'scale', 'deployment/shop', '--replicas=0'])
    await refused(t, 'shop')
    t.is((await kt('clean', '--dryRun')).stdout, CLEAN, 'fresh: left alone')
    t.is(await eventually('0/', SOON_MS, () => replicas('deployment/shop')), '0/')
    const callers = startCalls(await urlOf('shop'), 20)
    if (undo === 'clean') await silence(shadow)
    const { code, stdout, stderr } = await kt(...(undo === 'clean' ? ['clean'] : ['recover', 'shop']))
    t.is(code, 0, stderr)
    t.is(stdout, `✓ Deployment shop scaled back to 2, 2 ready\n✓ Shadow pod ${shadow} removed\n`)
    t.is(await replicas('deployment/shop'), '2/2')
    t.deepEqual(
      (await callers.stop()).filter(({ by }) => by.startsWith('error')),
      []
    )
    await asBefore(t)
  })

  test.serial(`a mesh with its router, undone by ${undo}`, async t => {
    const meta = (name: string): object => ({
      name,
      namespace: NAMESPACE,
      labels: { 'control-by': 'kt' },
      annotations: { 'kt-last-heart-beat': secondsAgo(undo === 'clean' ? 1000 : 10) }
    })
    const spec = (selector: object): object => ({ selector, ports: [{ name: 'kt-80', port: 80, targetPort: 8080 }] })
    const version = { 'kt-role': 'shadow-mesh', 'kt-target': 'mnbvcxzlkjhgfdsapoiu' }
    await applyAll([
      { apiVersion: 'v1', kind: 'Service', metadata: meta('cart-kt-stuntman'), spec: spec({ app: 'cart' }) },
      { apiVersion: 'v1', kind: 'Service', metadata: meta('cart-kt-mesh-v2'), spec: spec(version) }
    ])
    await theirs({ name: 'cart-kt-router', role: 'router', config: 'service=cart', labels: { 'kt-target': TARGET } })
    await theirs({ name: 'cart-kt-mesh-v2', role: 'shadow-mesh', config: 'service=cart-kt-mesh-v2', labels: version })
    await redirect('cart', 'router')
    await refused(t, 'cart')
    t.is((await kt('clean', '--dryRun')).stdout, CLEAN, 'its router lives: left alone')
    if (undo === 'clean') for (const name of ['cart-kt-router', 'cart-kt-mesh-v2']) await silence(name)
    const { code, stderr } = await kt(...(undo === 'clean' ? ['clean'] : ['recover', 'cart']))
    t.is(code, 0, stderr)
    t.is(await whoAnswers('http://cart/'), 'pod')
    await asBefore(t)
  })
}

test.serial(
  'a service that it was just about to change: refused, left alone while the lock is fresh, unlocked by recover',
  async t => {
    await kubectl(['-n', NAMESPACE, 'annotate', 'service', 'stock', `kt-lock=${secondsAgo(5)}`])
    const { code, stderr } = await kt('exchange', 'stock', '--expose', `${HTTP}:80`)
    t.is(code, 4)
    t.regex(stderr, /^kt: service 'stock' is held by kt-connect/)
    t.is((await kt('clean', '--dryRun')).stdout, CLEAN)
    t.is((await kt('recover', 'stock')).code, 0)
    await asBefore(t)
  }
)
