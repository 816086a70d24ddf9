// Whose is it: conflicts, takeover, what others do to an exchanged service, kt-connect's objects, recover, clean.
import test, { type ExecutionContext } from 'ava'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { becomes, SOON_MS, whoAnswers } from './_support/callers.ts'
import { applyAll, clear, exchange, HTTP, kt, NAMESPACE, prepare, preview } from './_support/ground.ts'
import { objects } from './_support/objects.ts'

const EXPOSE = ['--expose', `${HTTP}:80`]
const NOTHING = { gone: [], come: [] }

test.before(() => prepare('shop', 'stock', 'cart'))
test.after.always(clear)
test.beforeEach(async t => {
  t.context = await objects()
})
test.afterEach(async t => {
  t.deepEqual(await changes(t), NOTHING)
})

/** What is different from the beginning of the test; the controllers get a moment. */
async function changes(t: ExecutionContext): Promise<{ gone: string[]; come: string[] }> {
  let found = NOTHING as { gone: string[]; come: string[] }
  await eventually(true, SOON_MS, async () => {
    found = difference(t.context as string[], await objects())
    return found.gone.length + found.come.length === 0
  })
  return found
}

const patch = (kind: string, name: string, body: object): Promise<string> =>
  kubectl(['-n', NAMESPACE, 'patch', kind, name, '--type=merge', '-p', JSON.stringify(body)])

/** As if its owner, somebody else, had been silent for `seconds`. */
async function silence(service: string, seconds: number): Promise<void> {
  const beat = { 'kt-last-heart-beat': String(Math.floor(Date.now() / 1000) - seconds) }
  await patch('service', service, { metadata: { annotations: { 'kt-user': 'alice', 'kt-host': 'laptop-7' } } })
  await patch('service', `${service}-kt-stuntman`, { metadata: { annotations: beat } })
}

test.serial('a second exchange is refused with the owner, before anything is changed; the first goes on', async t => {
  const first = await exchange('shop', `${HTTP}:80`)
  const during = await objects()
  for (const flags of [[], ['--takeover']]) {
    const { code, stderr } = await kt('exchange', 'shop', ...EXPOSE, ...flags)
    t.is(code, 4)
    t.regex(stderr, /^kt: service 'shop' is already exchanged by \S+ on \S+, last seen \d+ s ago\n {4}.*takeover/)
  }
  t.deepEqual(difference(during, await objects()), NOTHING)
  await becomes(t, 'http://shop/', 'local')
  const status = await kt('status')
  t.regex(status.stdout, /^kt exchange: connected, process \d+ since/m)
  t.regex(status.stdout, new RegExp(`exposed: service shop: 8080/tcp → 127.0.0.1:${HTTP}$`, 'm'))
  t.is((await kt('down')).code, 0)
  t.is((await first.stop()).code, 0)
})

test.serial(
  '--takeover takes a service whose owner is silent; the old owner, when he wakes up, lets go of it',
  async t => {
    const old = await exchange('shop', `${HTTP}:80`)
    await silence('shop', 60)
    t.is((await kt('exchange', 'shop', ...EXPOSE, '--takeover')).code, 4)
    await silence('shop', 200)
    const refused = await kt('exchange', 'shop', ...EXPOSE)
    t.regex(refused.stderr, /already exchanged by alice on laptop-7, last seen 3 min ago/)
    const next = await exchange('shop', `${HTTP}:80`, '--takeover')
    const ended = await old.stop() // he has noticed: his undo must not touch what is not his
    t.not(ended.stderr, '')
    await becomes(t, 'http://shop/', 'local')
    t.is((await next.stop()).code, 0)
  }
)

test.serial("one's own stale exchange is entered again", async t => {
  const killed = await exchange('stock', `${HTTP}:80`)
  await killed.stop('SIGKILL')
  const again = await exchange('stock', `${HTTP}:80`)
  t.regex(again.output(), /left behind by an earlier exchange/)
  await becomes(t, 'http://stock/', 'local')
  t.is((await again.stop()).code, 0)
})

test.serial(
  'a manifest that is applied again changes nothing; one that takes the key away is healed; its new selector counts',
  async t => {
    const running = await exchange('shop', `${HTTP}:80`)
    await patch('service', 'shop', { spec: { selector: { app: 'shop' } } })
    await becomes(t, 'http://shop/', 'local')
    await patch('service', 'shop', { spec: { selector: { 'kt-exchange': null } } })
    await becomes(t, 'http://shop/', 'local')
    t.regex(running.output(), /selector of service shop was changed by somebody else: exchanged again/)
    t.is((await running.stop()).code, 0)
    await becomes(t, 'http://shop/', 'pod')
  }
)

test.serial('a replaced selector and a manifest that is applied again: healed, and put back', async t => {
  const running = await exchange('cart', `${HTTP}:80`)
  t.regex(running.output(), /selector of cart is replaced, not narrowed: service cart-headless would otherwise/)
  await patch('service', 'cart', { spec: { selector: { app: 'cart' } } })
  await becomes(t, 'http://cart/', 'local')
  t.is((await running.stop()).code, 0)
})

test.serial('a deleted shadow: the originals serve, then the laptop again', async t => {
  const running = await exchange('shop', `${HTTP}:80`)
  await kubectl(['-n', NAMESPACE, 'delete', 'pod', '-l', 'kt-role=shadow-exchange', '--wait=false'])
  await becomes(t, 'http://shop/', 'pod')
  t.is(await eventually('local', 20_000, () => whoAnswers('http://shop/')), 'local')
  t.is((await running.stop()).code, 0)
})

test.serial('recover undoes an exchange that runs; its owner ends and says why', async t => {
  const running = await exchange('shop', `${HTTP}:80`)
  const recovered = await kt('recover', 'shop')
  t.is(recovered.code, 0, recovered.stderr)
  await becomes(t, 'http://shop/', 'pod')
  const ended = await running.stop()
  t.is(ended.code, 4)
  t.regex(ended.stderr, /exchange of service 'shop' has been undone by somebody else/)
  const again = await kt('recover', 'shop')
  t.deepEqual(
    { code: again.code, stdout: again.stdout },
    { code: 0, stdout: 'shop is not exchanged, there is nothing to put back\n' }
  )
  const unknown = await kt('recover', 'no-such-service')
  t.is(unknown.code, 4)
  t.regex(unknown.stderr, /^kt: there is no service "no-such-service" in namespace traffic-in-owners\n/)
})

test.serial(
  "kt-connect's exchange: refused with a clear line, left alone by clean while it lives, undone by recover",
  async t => {
    const labels = { 'control-by': 'kt', 'kt-role': 'shadow-exchange', 'kt-target': 'qwertyuiopasdfghjklz' }
    const beat = String(Math.floor(Date.now() / 1000))
    const theirs = { 'kt-config': 'service=shop', 'kt-user': 'bob', 'kt-last-heart-beat': beat }
    const { labels: _control, ...metadata } = { labels, name: 'shop-kt-exchange-abcde', namespace: NAMESPACE }
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, labels, annotations: theirs } }
    await applyAll([configMap])
    await patch('service', 'shop', {
      metadata: { annotations: { 'kt-selector': '{"app":"shop"}', 'kt-user': 'bob' } },
      spec: { selector: { app: null, 'kt-role': 'shadow-exchange', 'kt-target': 'qwertyuiopasdfghjklz' } }
    })
    const refused = await kt('exchange', 'shop', ...EXPOSE)
    t.is(refused.code, 4)
    t.regex(refused.stderr, /^kt: service 'shop' is held by kt-connect \(bob\)\n {4}.*kt recover shop/)
    t.is((await kt('recover', 'shop')).code, 0)
    await becomes(t, 'http://shop/', 'pod')
    await kubectl(['-n', NAMESPACE, 'delete', 'configmap', 'shop-kt-exchange-abcde', '--ignore-not-found'])
  }
)

test.serial('clean: nothing of those who live, all of those who are silent, the service first', async t => {
  const running = await exchange('shop', `${HTTP}:80`)
  const killed = await exchange('stock', `${HTTP}:80`)
  await killed.stop('SIGKILL')
  t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
  await silence('stock', 1000)
  const pod = (await kubectl(['-n', NAMESPACE, 'get', 'pods', '-o', 'name']))
    .split('\n')
    .find(name => name.includes('stock-kt-exchange'))
  await patch('pod', String(pod).slice(4), { metadata: { annotations: { 'kt-last-heart-beat': '1000' } } })
  t.is((await kt('clean', '--dryRun')).stdout, '  service stock would be put back\n')
  const cleaned = await kt('clean')
  t.is(cleaned.code, 0, cleaned.stderr)
  t.regex(cleaned.stdout, /^✓ Original service stock recovered.*\n.*\n.*stock-kt-exchange-\w+ removed\n$/)
  await becomes(t, 'http://stock/', 'pod')
  await becomes(t, 'http://shop/', 'local')
  t.is((await running.stop()).code, 0)
})

test.serial('preview: a new service for the cluster, gone afterwards; a name that is taken is refused', async t => {
  const taken = await kt('preview', 'shop', ...EXPOSE)
  t.is(taken.code, 4)
  t.regex(taken.stderr, /^kt: there is a service 'shop' already; nothing has been changed\n/)
  t.deepEqual(await changes(t), NOTHING)
  const running = await preview('shop-next', `${HTTP}:80`)
  await becomes(t, 'http://shop-next/', 'local')
  t.is((await running.stop()).code, 0)
})

test.serial('refusals before anything is changed: no local program, no such port, no such target', async t => {
  for (const [args, code, line] of [
    [['exchange', 'shop', '--expose', '1:80'], 3, /^kt: nobody listens at 127\.0\.0\.1:1; nothing has been changed\n/],
    [['preview', 'new', '--expose', '1:80'], 3, /^kt: nobody listens at 127\.0\.0\.1:1; nothing has been changed\n/],
    [['exchange', 'shop', '--expose', '9'], 2, /^kt: service shop has no port 9; it has: http 80 → web, tcp 7000, udp/],
    [['exchange', 'shop'], 2, /^kt: --expose is missing; service shop has: http 80 → web/],
    [['exchange', 'nobody', ...EXPOSE], 4, /^kt: there is no service "nobody" in namespace traffic-in-owners\n/],
    [['exchange', 'pod/x', ...EXPOSE], 2, /^kt: pod\/x has no selector/]
  ] as const) {
    const result = await kt(...args)
    t.is(result.code, code, result.stderr)
    t.regex(result.stderr, line)
  }
})
