import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../../../lib/errors.ts'
import type { Cluster, ConfigMap, Pod } from '../../../lib/kube/api/client.ts'
import { CONFIG_MAPS, PODS, type Resource } from '../../../lib/kube/api/resource.ts'
import { openCarrier } from '../../../lib/kube/carrier/carrier.ts'
import { createShadow, type ShadowOptions } from '../../../lib/kube/shadow/shadow.ts'
import {
  AGENT_PORT,
  accountToken,
  as,
  create,
  DEVELOPER_RULES,
  ECHO_AGENT,
  e2e,
  freshNamespace,
  IMAGE,
  list,
  PUBLIC_KEY,
  until
} from './_support/cluster.ts'

const QUOTAS: Resource = { group: '', version: 'v1', resource: 'resourcequotas' }
const OURS = { labelSelector: 'control-by=kt' }

function options(change: Partial<ShadowOptions> = {}): ShadowOptions {
  return { image: IMAGE, agent: ECHO_AGENT, publicKey: PUBLIC_KEY, port: AGENT_PORT, ...change }
}

e2e(
  'a shadow in a restricted namespace, with rights in that namespace only: names, labels, annotations, echo, removal',
  async t => {
    const admin = await freshNamespace(t, { 'pod-security.kubernetes.io/enforce': 'restricted' })
    const cluster = await as(t, admin.namespace, { token: await accountToken(admin, DEVELOPER_RULES) })
    const progress: string[] = []
    const shadow = await createShadow(cluster, options({ onProgress: text => progress.push(text) }))
    t.regex(shadow.name, /^kt-connect-shadow-[a-z]{5}$/)
    t.not(shadow.nodeName, '')
    const pod = await admin.api.call<Pod>({ ...PODS, verb: 'get', namespace: admin.namespace, name: shadow.name })
    t.is(pod.metadata?.labels?.['control-by'], 'kt')
    t.is(pod.metadata?.labels?.['kt-role'], 'shadow-connect')
    t.truthy(pod.metadata?.annotations?.['kt-user'])
    t.true(Math.abs(Number(pod.metadata?.annotations?.['kt-last-heart-beat']) - Date.now() / 1000) < 60)
    const configMap = await admin.api.call<ConfigMap>({
      ...CONFIG_MAPS,
      verb: 'get',
      namespace: admin.namespace,
      name: shadow.name
    })
    t.is(configMap.metadata?.ownerReferences?.[0]?.uid, shadow.uid)
    t.is(configMap.data?.['session.pem'], PUBLIC_KEY)
    const carrier = await openCarrier(cluster, { pod: shadow.name, port: AGENT_PORT })
    carrier.write('hello')
    let heard = ''
    for await (const chunk of carrier) {
      heard += String(chunk)
      if (heard.length >= 6) break
    }
    t.is(heard, '!hello')
    await t.throwsAsync(shadow.beat(), { instanceOf: KtError, message: /may not patch pods/ })
    await shadow.remove()
    t.deepEqual([await list(admin, PODS), await list(admin, CONFIG_MAPS, OURS)], [[], []])
    await shadow.remove() // once more does no harm
  }
)

e2e('the heartbeat is renewed', async t => {
  const cluster = await freshNamespace(t)
  const shadow = await createShadow(cluster, options())
  const beat = async () =>
    (await cluster.api.call<Pod>({ ...PODS, verb: 'get', namespace: cluster.namespace, name: shadow.name })).metadata
      ?.annotations?.['kt-last-heart-beat']
  const before = await beat()
  await sleep(1100)
  await shadow.beat()
  t.true(Number(await beat()) > Number(before))
  await shadow.remove()
})

const FAILURES: [what: string, change: Partial<ShadowOptions>, code: string, message: RegExp, hint: RegExp][] = [
  [
    'unknown image',
    { image: 'registry.invalid/nothing:1' },
    'KT_SHADOW_FAILED',
    /cannot run: (ImagePullBackOff|ErrImagePull).*registry\.invalid/,
    /pull registry\.invalid\/nothing:1\? .*--image/
  ],
  ['no image reference', { image: 'UPPER:case:twice' }, 'KT_SHADOW_FAILED', /InvalidImageName/, /--image/],
  [
    'unschedulable',
    { nodeSelector: { moon: 'full' }, readyLimitMs: 2_000 },
    'KT_SHADOW_TIMEOUT',
    /not running after 2 s: Unschedulable: 0\/\d+ nodes are available/,
    /no node/
  ],
  [
    'crash',
    { agent: 'console.error("the agent says why"); process.exit(3)' },
    'KT_SHADOW_FAILED',
    /ended with exit code 3: the agent says why/,
    /^$/
  ],
  ['syntax error', { agent: 'this is not JavaScript' }, 'KT_SHADOW_FAILED', /exit code 1: .*SyntaxError/, /^$/]
]

for (const [what, change, code, message, hint] of FAILURES) {
  e2e(`${what} is explained in the cluster's own words, and nothing stays`, async t => {
    const cluster = await freshNamespace(t)
    const error = await t.throwsAsync(createShadow(cluster, options(change)), { instanceOf: KtError, message })
    t.is(error?.code, code as never)
    t.regex(error?.hint ?? '', hint)
    t.false(error?.message.includes('\n'))
    await until(
      async () => (await list(cluster, PODS)).length === 0 && (await list(cluster, CONFIG_MAPS, OURS)).length === 0
    )
  })
}

/** A new quota counts once the API server has heard of it: asked with a pod as a dry run. */
async function quotaCounts({ api, namespace }: Cluster): Promise<boolean> {
  const body = { metadata: { name: 'probe' }, spec: { containers: [{ name: 'probe', image: 'probe' }] } }
  return await api.call({ ...PODS, verb: 'create', namespace, query: { dryRun: 'All' }, body }).then(
    () => false,
    (error: Error) => /exceeded quota/.test(error.message)
  )
}

e2e('a quota that admits no pod, and a missing right', async t => {
  const cluster = await freshNamespace(t)
  await create(cluster, { ...QUOTAS, body: { metadata: { name: 'none' }, spec: { hard: { pods: '0' } } } })
  await until(() => quotaCounts(cluster))
  const quota = await t.throwsAsync(createShadow(cluster, options()), {
    instanceOf: KtError,
    message: /does not admit the shadow pod: .*exceeded quota/
  })
  t.is(quota?.code, 'KT_SHADOW_FAILED')
  const guest = await as(t, cluster.namespace, {
    token: await accountToken(cluster, [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }])
  })
  const right = await t.throwsAsync(createShadow(guest, options()), {
    instanceOf: KtError,
    message: /may not create pods in namespace/
  })
  t.is(right?.code, 'KT_FORBIDDEN')
})

e2e('an aborted wait leaves nothing', async t => {
  const cluster = await freshNamespace(t)
  for (const afterMs of [0, 5, 30, 200]) {
    const signal = AbortSignal.timeout(afterMs)
    await t.throwsAsync(createShadow(cluster, options({ signal, image: 'registry.invalid/x' })), {
      name: 'TimeoutError'
    })
  }
  await until(
    async () => (await list(cluster, PODS)).length === 0 && (await list(cluster, CONFIG_MAPS, OURS)).length === 0
  )
  t.pass()
})

e2e('the ConfigMap goes with its pod, whoever deletes that; a deleted pod ends the wait', async t => {
  const cluster = await freshNamespace(t)
  const remove = async (name: string) =>
    await cluster.api.call({ ...PODS, verb: 'delete', namespace: cluster.namespace, name })
  await remove((await createShadow(cluster, options())).name)
  await until(async () => (await list(cluster, CONFIG_MAPS, OURS)).length === 0)
  const waiting = createShadow(cluster, options({ nodeSelector: { moon: 'full' } }))
  const [outcome] = await Promise.allSettled([
    waiting,
    until(async () => (await list(cluster, CONFIG_MAPS, OURS)).length === 1).then(async () =>
      remove((await list(cluster, PODS))[0]!)
    )
  ])
  t.regex(String(outcome.status === 'rejected' && outcome.reason), /deleted by somebody else/)
})

e2e('twenty shadows made and removed leave nothing', async t => {
  const cluster = await freshNamespace(t)
  for (let round = 0; round < 5; round++) {
    const shadows = await Promise.all(Array.from({ length: 4 }, () => createShadow(cluster, options())))
    await Promise.all(shadows.map(shadow => shadow.remove()))
    t.deepEqual([await list(cluster, PODS), await list(cluster, CONFIG_MAPS, OURS)], [[], []])
  }
})

e2e('a container that runs without an agent that answers is no shadow', async t => {
  const cluster = await freshNamespace(t)
  const mute = options({
    agent: 'setInterval(() => {}, 1000); process.on("SIGTERM", () => process.exit(0))',
    readyLimitMs: 3_000
  })
  const error = await t.throwsAsync(createShadow(cluster, mute), { instanceOf: KtError })
  t.is(error?.code, 'KT_SHADOW_TIMEOUT')
  t.regex(error?.message ?? '', /its container runs, but nobody answers at port 7070/)
})
