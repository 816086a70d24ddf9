import { chmodSync } from 'node:fs'
import { KtError, type KtErrorCode } from '../../../lib/errors.ts'
import { checkAccess, connectRights } from '../../../lib/kube/api/access.ts'
import { loadCluster } from '../../../lib/kube/api/client.ts'
import { PODS, type Resource } from '../../../lib/kube/api/resource.ts'
import { openCarrier } from '../../../lib/kube/carrier/carrier.ts'
import { folder, write } from '../../kube/_support/kubeconfig.ts'
import { accountToken, adminUser, as, DEVELOPER_RULES, e2e, fileFor, freshNamespace, list } from './_support/cluster.ts'
import { connectProxy, reverseProxy, socksProxy } from './_support/proxies.ts'

const WHO_AM_I: Resource = { group: 'authentication.k8s.io', version: 'v1', resource: 'selfsubjectreviews' }
const NO_POD = { pod: 'nobody', port: 1 }

async function whoAmI(
  cluster: Awaited<ReturnType<typeof loadCluster>>
): Promise<{ username: string; groups: string[] }> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const { status } = await cluster.api.call<{ status: { userInfo: { username: string; groups: string[] } } }>({
    ...WHO_AM_I,
    verb: 'create',
    body
  })
  return status.userInfo
}

e2e('a token of a service account: its rights, and the wording of the missing ones', async t => {
  const admin = await freshNamespace(t)
  const { namespace } = admin
  const cluster = await as(t, namespace, { token: await accountToken(admin, DEVELOPER_RULES) })
  t.is(cluster.namespace, namespace) // the context's, not `default`
  t.is((await whoAmI(cluster)).username, `system:serviceaccount:${namespace}:developer`)
  t.deepEqual(await list(cluster, PODS), [])
  const error = await t.throwsAsync(cluster.api.call({ ...PODS, verb: 'list' }), { instanceOf: KtError })
  t.is(error?.code, 'KT_FORBIDDEN')
  t.is(error?.message, 'user "e2e" may not list pods in the whole cluster')
  t.deepEqual(await checkAccess(cluster, connectRights(namespace)), [])
  const missing = await checkAccess(cluster, [
    { verb: 'create', resource: 'secrets', namespace },
    { verb: 'list', resource: 'nodes' },
    { verb: 'list', resource: 'pods', namespace }
  ])
  t.deepEqual(
    missing.map(m => m.error.message),
    [
      `user "e2e" may not create secrets in namespace ${namespace}`,
      'user "e2e" may not list nodes in the whole cluster'
    ]
  )
})

e2e('a token file, an exec plugin that gets its KUBERNETES_EXEC_INFO, and a plugin asked again after 401', async t => {
  const admin = await freshNamespace(t)
  const { namespace } = admin
  const token = await accountToken(admin, DEVELOPER_RULES)
  const dir = folder()
  const tokenFile = write(dir, 'token', `${token}\n`)
  t.deepEqual(await list(await as(t, namespace, { tokenFile }), PODS), [])
  // Says a wrong token the first time and the right one from then on; refuses without the cluster's address.
  const plugin = write(
    dir,
    'plugin',
    `#!/bin/sh
case "$KUBERNETES_EXEC_INFO" in *'"server":"https'*) ;; *) echo no cluster info >&2; exit 3;; esac
if [ -e ${dir}/once ]; then token=$(cat ${tokenFile}); else touch ${dir}/once; token=wrong; fi
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$token'"}}'
`
  )
  chmodSync(plugin, 0o755)
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: plugin,
    provideClusterInfo: true,
    interactiveMode: 'Never'
  }
  const cluster = await as(t, namespace, { exec })
  t.is((await whoAmI(cluster)).username, `system:serviceaccount:${namespace}:developer`)
  await t.throwsAsync(openCarrier(cluster, NO_POD), { message: /pods "nobody" not found/ })
  const silent = { exec: { ...exec, provideClusterInfo: false, installHint: 'install it' } }
  const error = await t.throwsAsync(loadCluster({ kubeconfig: fileFor(namespace, silent) }), {
    instanceOf: KtError,
    message: /ended with 3: no cluster info/
  })
  t.is(error?.code, 'KT_UNAUTHORIZED')
  t.is(error?.hint, 'install it')
})

e2e('impersonation with groups', async t => {
  const cluster = await as(t, 'default', { ...adminUser(), as: 'ann', 'as-groups': ['blue', 'system:masters'] })
  const { username, groups } = await whoAmI(cluster)
  t.is(username, 'ann')
  t.true(groups.includes('blue') && groups.includes('system:masters'))
})

for (const kind of ['http', 'socks5', 'http with a password'] as const) {
  e2e(`proxy-url: ${kind}`, async t => {
    const proxy = await (kind === 'socks5' ? socksProxy(t) : connectProxy(t, kind === 'http' ? '' : 'me:se cret'))
    const url = kind === 'http with a password' ? proxy.url.replace('//', '//me:se%20cret@') : proxy.url
    const cluster = await as(t, 'default', adminUser(), { 'proxy-url': url })
    await t.throwsAsync(openCarrier(cluster, NO_POD), { message: /pods "nobody" not found/ })
    t.is(proxy.count(), 2) // one kept alive for requests, one for the upgrade
  })
}

e2e('HTTPS_PROXY and NO_PROXY of the environment', async t => {
  const proxy = await connectProxy(t)
  process.env.HTTPS_PROXY = proxy.url
  t.teardown(() => {
    delete process.env.HTTPS_PROXY
    delete process.env.NO_PROXY
  })
  const cluster = await as(t, 'default', adminUser())
  t.is(proxy.count(), 1)
  process.env.NO_PROXY = cluster.server.hostname
  await as(t, 'default', adminUser())
  t.is(proxy.count(), 1)
})

e2e('an http server below a path prefix, upgrades included', async t => {
  const direct = await loadCluster({})
  const { certificate, key } = await direct.credentials.current()
  const proxy = await reverseProxy(
    t,
    direct.server.href,
    { cert: certificate!, key: key!, rejectUnauthorized: false },
    '/k8s/clusters/c-1'
  )
  direct.close()
  const cluster = await as(t, 'kube-system', {}, { server: `${proxy.url}/k8s/clusters/c-1` })
  t.true((await list(cluster, PODS)).length > 0)
  await t.throwsAsync(openCarrier(cluster, NO_POD), { instanceOf: KtError })
})

const BAD: [what: string, change: object, user: object | undefined, code: KtErrorCode, message: RegExp][] = [
  [
    'nobody listens',
    { server: 'https://127.0.0.1:1' },
    undefined,
    'KT_API_UNREACHABLE',
    /cannot reach the API server at https:\/\/127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1/
  ],
  ['unknown host', { server: 'https://api.invalid:6443' }, undefined, 'KT_API_UNREACHABLE', /api\.invalid/],
  [
    'another name in the certificate',
    { 'tls-server-name': 'other.example' },
    undefined,
    'KT_API_UNREACHABLE',
    /other\.example/
  ],
  [
    'no authority',
    { 'certificate-authority': undefined, 'certificate-authority-data': undefined },
    undefined,
    'KT_API_UNREACHABLE',
    /certificate/
  ],
  ['wrong token', {}, { token: 'wrong' }, 'KT_UNAUTHORIZED', /credentials of user "e2e" are unknown or expired/],
  [
    'missing proxy',
    { 'proxy-url': 'socks5://127.0.0.1:1' },
    undefined,
    'KT_API_UNREACHABLE',
    /through the proxy socks5:\/\/127\.0\.0\.1:1: connect ECONNREFUSED/
  ]
]

for (const [what, change, user, code, message] of BAD) {
  e2e(`cannot be loaded: ${what}`, async t => {
    const error = await t.throwsAsync(loadCluster({ kubeconfig: fileFor('default', user ?? adminUser(), change) }), {
      instanceOf: KtError,
      message
    })
    t.is(error?.code, code)
    t.not(error?.hint, '')
  })
}

e2e('a namespace that is not there is said; insecure-skip-tls-verify and tls-server-name work', async t => {
  const error = await t.throwsAsync(loadCluster({ namespace: 'no-such-namespace' }), {
    instanceOf: KtError,
    message: /no namespace "no-such-namespace"/
  })
  t.is(error?.code, 'KT_NOT_FOUND')
  const insecure = {
    'certificate-authority': undefined,
    'certificate-authority-data': undefined,
    'insecure-skip-tls-verify': true
  }
  t.is((await as(t, 'default', adminUser(), insecure)).namespace, 'default')
  t.is((await as(t, 'default', adminUser(), { 'tls-server-name': 'kubernetes' })).namespace, 'default')
})
