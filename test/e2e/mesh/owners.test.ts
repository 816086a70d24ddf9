// Whose is it: two of one version, mesh beside exchange, takeover, recover, clean, what others do to a meshed service, rights.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Birdseye } from '../../../lib/kube/traffic/birdseye.ts'
import { kubectl } from '../_support/kubectl.ts'
import { objects } from '../traffic-in/_support/objects.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { allow, clear, endAll, kt, mesh, NAMESPACE, PORTS, patch, prepare, RULES, status } from './_support/ground.ts'
import { whoAnswers } from './_support/requests.ts'

const NOTHING = { gone: [], come: [] }
const MESH = ['mesh', 'shop', '--expose', `${PORTS.green}:80`]

test.before(prepare)
test.after.always(clear)
test.beforeEach(async t => {
  t.context = await objects(NAMESPACE)
})
test.afterEach.always(async t => {
  await endAll()
  if (!t.passed) return
  let found = NOTHING as { gone: string[]; come: string[] }
  await eventually(true, 20_000, async () => {
    found = difference(t.context as string[], await objects(NAMESPACE))
    return found.gone.length + found.come.length === 0
  })
  t.deepEqual(found, NOTHING)
})

/** What a command could have changed, without what every participant writes twice a minute; the second router may still be starting. */
async function still(): Promise<string[]> {
  const lines = (await objects(NAMESPACE)).filter(line => /^(Service|ConfigMap) /.test(line))
  return lines.map(line => line.replaceAll(/"kt-(last-heart-beat|seen\/\w+)","\d+"/g, ''))
}

async function becomes(t: ExecutionContext, version: string, who: string, limitMs = 15_000): Promise<void> {
  t.is(await eventually(who, limitMs, () => whoAnswers('shop', version)), who)
}

/** As if a participant had been silent for so long. */
async function silence(version: string, seconds: number): Promise<void> {
  const beat = String(Math.floor(Date.now() / 1000) - seconds)
  await patch('configmap', 'shop-kt-router', { metadata: { annotations: { [`kt-seen/${version}`]: beat } } })
}

test.serial('one version, one owner; no exchange of a meshed service, no mesh of an exchanged one', async t => {
  const blue = await mesh('shop', 'blue')
  const during = await still()
  for (const [args, code, line] of [
    [[...MESH, '--versionMark', 'blue'], 4, /^kt: version 'blue' of service 'shop' is taken by \S+ on \S+\n/],
    [
      [...MESH, '--match', 'header:version=blue'],
      4,
      /^kt: header 'VERSION: blue' leads to version 'blue' of \S+ on \S+ already\n/
    ],
    [
      ['exchange', 'shop', '--expose', `${PORTS.green}:80`],
      4,
      /^kt: service 'shop' is meshed by \S+ on \S+ \(version blue\): it cannot be exchanged meanwhile\n/
    ],
    [
      ['mesh', 'shop', '--expose', `${PORTS.green}:7000/udp`],
      2,
      /^kt: --expose: a mesh looks at requests, and UDP port/
    ],
    [['mesh', 'shop'], 2, /^kt: --expose is missing; service shop has: http 80 → web/],
    [[...MESH, '--apply'], 2, /^kt: --apply writes the rules of --mode manual\n/],
    [['mesh', 'shop', '--expose', '1:80'], 3, /^kt: nobody listens at 127\.0\.0\.1:1; nothing has been changed\n/]
  ] as const) {
    const result = await kt(...args)
    t.is(result.code, code, result.stderr)
    t.regex(result.stderr, line)
  }
  t.deepEqual(difference(during, await still()), NOTHING)
  t.is(await whoAnswers('shop', 'blue'), 'local blue')
  t.is((await blue.stop()).code, 0)
})

test.serial('conditions: path and cookie in place of the header; a mirror answers from the pods', async t => {
  const blue = await mesh('shop', 'blue', '--match', 'path:/', '--match', 'header:version~b.*')
  t.regex(blue.output(), /service by header 'VERSION: blue' and path \/ and header 'VERSION: ~ b\.\*'$/m)
  const green = await mesh('shop', 'green', '--mirror')
  t.is(await whoAnswers('shop', 'blue'), 'local blue')
  t.is(await whoAnswers('shop', 'green'), 'pod')
  t.is((await blue.stop()).code, 0)
  t.is((await green.stop()).code, 0)
})

test.serial('birdseye and status know who takes part; recover ends a mesh for everybody, and they say why', async t => {
  const [blue, green] = await Promise.all([mesh('shop', 'blue'), mesh('shop', 'green')])
  const { stdout } = await kt('birdseye', '--output', 'json')
  const seen = (JSON.parse(stdout) as Birdseye).services.find(({ service }) => service === 'shop')
  t.like(seen, { state: 'meshed', mode: 'auto' })
  t.deepEqual(seen?.by.map(({ version }) => version).sort(), ['blue', 'green'])
  for (const { user, host, pod, since, silentSeconds } of seen?.by ?? []) {
    t.true([user, host, since].every(text => text !== '') && pod.startsWith('shop-kt-mesh-'), stdout)
    t.true(silentSeconds !== null && silentSeconds < 60, stdout)
  }
  t.regex(await status('green'), /exposed: service shop, header 'VERSION: green': /)
  const recovered = await kt('recover', 'shop')
  t.is(recovered.code, 0, recovered.stderr)
  t.regex(recovered.stdout, /^✓ Original service shop recovered: selects app=shop$/m)
  t.is(await whoAnswers('shop', 'blue'), 'pod')
  for (const running of [blue, green]) {
    const ended = await running.stop()
    t.is(ended.code, 4)
    t.regex(ended.stderr, /the mesh of service 'shop' has been undone by somebody else/)
  }
})

test.serial(
  'killed: the next one of the same user enters again; clean and takeover go by who was heard of',
  async t => {
    const blue = await mesh('shop', 'blue')
    const green = await mesh('shop', 'green')
    await blue.stop('SIGKILL')
    t.is(await whoAnswers('shop', 'blue'), 'pod', 'the laptop is dead')
    t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
    await silence('blue', 1000)
    t.regex(
      (await kt('clean', '--dryRun')).stdout,
      /^ {2}version blue of service shop \(\S+ on \S+\) would be removed\n$/
    )
    t.is((await kt('clean')).code, 0)
    t.is(await whoAnswers('shop', 'green'), 'local green')
    await green.stop('SIGKILL')
    const again = await mesh('shop', 'green')
    t.is(await whoAnswers('shop', 'green'), 'local green')
    t.is((await again.stop()).code, 0)
  }
)

test.serial('everybody is dead: clean lists the mesh, recover --all ends it', async t => {
  const blue = await mesh('shop', 'blue')
  await blue.stop('SIGKILL')
  await silence('blue', 1000)
  const long = 'kt-last-heart-beat=1000'
  await kubectl(['-n', NAMESPACE, 'annotate', '--overwrite', 'pods', '-l', 'kt-role=shadow-mesh', long])
  await kubectl(['-n', NAMESPACE, 'annotate', '--overwrite', 'service', 'shop-kt-stuntman', long])
  t.is((await kt('clean', '--dryRun')).stdout, '  service shop would be put back\n')
  const recovered = await kt('recover', '--all')
  t.is(recovered.code, 0, recovered.stderr)
  t.regex(recovered.stdout, /^✓ Original service shop recovered: selects app=shop$/m)
  t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
})

test.serial('--takeover takes a version whose owner is silent; when he wakes up, he lets go of it', async t => {
  const old = await mesh('shop', 'blue')
  await silence('blue', 60)
  t.is((await kt(...MESH, '--versionMark', 'blue', '--takeover')).code, 4)
  await silence('blue', 200)
  const next = await mesh('shop', 'blue', '--takeover')
  const ended = await old.stop()
  t.is(ended.code, 4)
  t.regex(ended.stderr, /version 'blue' of service 'shop' has been taken over by somebody else/)
  t.is(await whoAnswers('shop', 'blue'), 'local blue')
  t.is((await next.stop()).code, 0)
})

test.serial('a manifest that is applied again changes nothing; one that takes the key away is healed', async t => {
  const blue = await mesh('shop', 'blue')
  await patch('service', 'shop', { spec: { selector: { app: 'shop' } } })
  await becomes(t, 'blue', 'local blue')
  await patch('service', 'shop', { spec: { selector: { 'kt-mesh': null } } })
  await becomes(t, 'blue', 'local blue')
  t.regex(blue.output(), /selector of service shop was changed by somebody else: meshed again/)
  t.is((await blue.stop()).code, 0)
})

test.serial('a missing right is named before anything is changed', async t => {
  for (const [resource, verb, name] of [
    ['configmaps', 'patch', 'configmaps'],
    ['deployments', 'create', 'deployments.apps']
  ] as const) {
    await allow(RULES.map(r => (r.resource === resource ? { ...r, verbs: r.verbs.filter(v => v !== verb) } : r)))
    await delay(300)
    const { code, stderr } = await kt(...MESH)
    t.is(code, 4)
    t.regex(stderr, new RegExp(`^kt: user "developer" may not ${verb} ${name} in namespace mesh`))
  }
  await allow()
})
