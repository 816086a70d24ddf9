// kt mesh --mode manual: what is written for Istio and for the Gateway API where they are, and what remains of it.
import test from 'ava'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { allow, applyAll, clear, endAll, kt, mesh, NAMESPACE, PORTS, patch, prepare, RULES } from './_support/ground.ts'
import { whoAnswers } from './_support/requests.ts'
import { install, rulesFor, uninstall } from './_support/rules.ts'

const MANUAL = ['--mode', 'manual', '--apply']
const GREEN = ['mesh', 'shop', '--expose', `${PORTS.green}:80`, ...MANUAL, '--versionMark', 'green']

test.before(prepare)
test.after.always(async () => {
  await Promise.all([uninstall('istio'), uninstall('gateway')])
  await clear()
})
test.afterEach.always(endAll)

const named = async (kinds: string): Promise<string> =>
  (await kubectl(['-n', NAMESPACE, 'get', kinds, '-o', 'name'])).trim().replaceAll('\n', ' ')

test.serial('a mesh by hand: the rules are printed; --apply says that nobody would read them', async t => {
  const { code, stderr } = await kt(...GREEN)
  t.is(code, 4)
  t.regex(stderr, /^kt: --apply: neither Istio \(networking\.istio\.io\/v1\) nor the Gateway API/)
  const blue = await mesh('shop', 'blue', '--mode', 'manual')
  t.regex(blue.output(), /^ Now you can update Istio rule by label 'version=blue'$/m)
  t.regex(blue.output(), /^kind: VirtualService$/m)
  const address = (name: string): Promise<string> => whoAnswers(name, '')
  t.is(await eventually('local blue', 10_000, () => address('shop-kt-mesh-blue')), 'local blue')
  t.is(await address('shop'), 'pod')
  t.is((await blue.stop()).code, 0)
  t.is(await kubectl(['-n', NAMESPACE, 'get', 'service', 'shop-kt-mesh-blue', '--ignore-not-found', '-o', 'name']), '')
})

test.serial('Gateway API: an HTTPRoute for as long as kt runs, and no longer when it is killed', async t => {
  await install('gateway')
  await allow([...RULES, ...rulesFor('gateway')])
  const blue = await mesh('shop', 'blue', ...MANUAL)
  t.is(await named('httproutes'), 'httproute.gateway.networking.k8s.io/shop-kt-mesh-blue')
  t.is(await eventually('local blue', 10_000, () => whoAnswers('shop-kt-mesh-blue', '')), 'local blue')
  t.is(await whoAnswers('shop', ''), 'pod', 'nobody acts on the rule here, and the shadow is not behind the service')
  t.is((await blue.stop()).code, 0)
  t.is(await named('httproutes'), '')
  const dead = await mesh('shop', 'green', ...MANUAL)
  await dead.stop('SIGKILL')
  const green = await mesh('shop', 'green', ...MANUAL)
  const answered = await eventually('local green', 10_000, () => whoAnswers('shop-kt-mesh-green', ''))
  t.is(answered, 'local green', 'one of our own that is dead is in the way of nobody')
  await green.stop('SIGKILL')
  t.is(await named('httproutes'), 'httproute.gateway.networking.k8s.io/shop-kt-mesh-green')
  for (const name of ['shop-kt-mesh-green', 'shop-kt-mesh-green-stuntman'])
    await patch('service', name, { metadata: { annotations: { 'kt-last-heart-beat': '1000' } } })
  const silent = ['annotate', '--overwrite', 'pods', '-l', 'kt-role=shadow-mesh', 'kt-last-heart-beat=1000']
  await kubectl(['-n', NAMESPACE, ...silent])
  const cleaned = await kt('clean')
  t.is(cleaned.code, 0, cleaned.stderr)
  t.is(await eventually('', 20_000, () => named('httproutes')), '')
  await uninstall('gateway')
})

test.serial('Istio: subsets where the pods have a version; rules of somebody else are left to him', async t => {
  await install('istio')
  await allow([...RULES, ...rulesFor('istio')])
  await patch('deployment', 'shop', { spec: { template: { metadata: { labels: { version: 'v1' } } } } })
  await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/shop', '--timeout=50s'])
  await eventually('pod', 10_000, () => whoAnswers('shop', ''))
  const blue = await mesh('shop', 'blue', ...MANUAL)
  t.is(
    await named('virtualservices,destinationrules'),
    'virtualservice.networking.istio.io/shop-kt-mesh-blue destinationrule.networking.istio.io/shop-kt-mesh-blue'
  )
  const labels = await kubectl([
    '-n',
    NAMESPACE,
    'get',
    'pod',
    'shop-kt-mesh-blue',
    '-o',
    'jsonpath={.metadata.labels}'
  ])
  t.like(JSON.parse(labels), { app: 'shop', version: 'blue' })
  t.is((await blue.stop()).code, 0)
  t.is(await named('virtualservices,destinationrules'), '')
  const metadata = { name: 'theirs', namespace: NAMESPACE }
  await applyAll([
    { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec: { hosts: ['shop'] } }
  ])
  const refused = await kt(...GREEN)
  t.is(refused.code, 4, refused.stdout)
  t.regex(refused.stderr, /^kt: VirtualService theirs has rules for service 'shop' already\n/)
  t.is(await named('virtualservices'), 'virtualservice.networking.istio.io/theirs')
})
