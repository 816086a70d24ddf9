import { delimiter, join } from 'node:path'
import test from 'ava'
import { KtError } from '../../../lib/errors.ts'
import { readKubeconfig } from '../../../lib/kube/api/kubeconfig.ts'
import { folder, kubeconfig, write } from '../_support/kubeconfig.ts'

/** readKubeconfig takes $KUBECONFIG from the environment: one test at a time. */
function withEnvironment<T>(value: string | undefined, f: () => T): T {
  const before = process.env.KUBECONFIG
  if (value === undefined) delete process.env.KUBECONFIG
  else process.env.KUBECONFIG = value
  try {
    return f()
  } finally {
    if (before === undefined) delete process.env.KUBECONFIG
    else process.env.KUBECONFIG = before
  }
}

test.serial('files of KUBECONFIG are merged, the first one wins, repeated and missing files do no harm', t => {
  const dir = folder()
  const a = write(dir, 'a', kubeconfig('same', { server: 'https://a:1' }, { token: 'a' }, 'team'))
  const b = write(dir, 'b', kubeconfig('same', { server: 'https://b:1' }, { token: 'b' }))
  const c = write(dir, 'c', kubeconfig('other', { server: 'https://c:1' }))
  withEnvironment([a, join(dir, 'missing'), a, '', b, c].join(delimiter), () => {
    const first = readKubeconfig({})
    t.is(first.contextName, 'same')
    t.is(first.cluster.server, 'https://a:1')
    t.is(first.user.token, 'a')
    t.is(first.namespace, 'team')
    t.deepEqual(first.files, [a, b, c])
    t.is(readKubeconfig({ context: 'other' }).cluster.server, 'https://c:1')
  })
})

test.serial('entries of one context may come from different files', t => {
  const dir = folder()
  const a = write(dir, 'a', 'contexts: [{name: x, context: {cluster: k, user: u}}]')
  const b = write(
    dir,
    'b',
    'current-context: x\nclusters: [{name: k, cluster: {server: "https://k"}}]\nusers: [{name: u, user: {token: t}}]'
  )
  withEnvironment(`${a}${delimiter}${b}`, () => t.is(readKubeconfig({}).user.token, 't'))
})

test('paths are relative to the file, a plugin only when it has a slash', t => {
  const dir = folder()
  const user = {
    'client-certificate': 'c.pem',
    tokenFile: 'sub/token',
    exec: { apiVersion: 'v1', command: './plugin' }
  }
  const file = write(
    dir,
    'deep/config',
    kubeconfig('x', { server: 'https://h', 'certificate-authority': '../ca.pem' }, user)
  )
  const config = readKubeconfig({ kubeconfig: file })
  t.is(config.cluster['certificate-authority'], join(dir, 'ca.pem'))
  t.is(config.user['client-certificate'], join(dir, 'deep/c.pem'))
  t.is(config.user.tokenFile, join(dir, 'deep/sub/token'))
  t.is(config.user.exec?.command, join(dir, 'deep/plugin'))
  const bare = write(
    dir,
    'bare',
    kubeconfig('x', { server: 'https://h' }, { exec: { apiVersion: 'v1', command: 'aws' } })
  )
  t.is(readKubeconfig({ kubeconfig: bare }).user.exec?.command, 'aws')
})

test('a server without a scheme is http, as for kubectl', t => {
  const file = write(folder(), 'config', kubeconfig('x', { server: '127.0.0.1:8001' }))
  t.is(readKubeconfig({ kubeconfig: file }).cluster.server, 'http://127.0.0.1:8001')
})

const CASES: [what: string, content: string, context: string | undefined, message: RegExp, hint: RegExp][] = [
  ['unknown context', kubeconfig('dev', { server: 'https://h' }), 'prod', /no context "prod"/, /contexts there: dev/],
  [
    'no current context',
    'contexts: [{name: b, context: {cluster: c}}, {name: a, context: {cluster: c}}]',
    undefined,
    /no current context/,
    /a, b/
  ],
  ['empty file', '', undefined, /no current context/, /no contexts/],
  ['not YAML', 'a: [', undefined, /cannot read the kubeconfig/, /^$/],
  ['a list', '[1, 2]', undefined, /is not a kubeconfig/, /^$/],
  [
    'unknown cluster',
    'contexts: [{name: x, context: {cluster: nope}}]',
    'x',
    /cluster that is not there: "nope"/,
    /^$/
  ],
  [
    'unknown user',
    'contexts: [{name: x, context: {cluster: c, user: nope}}]\nclusters: [{name: c, cluster: {server: "https://h"}}]',
    'x',
    /user that is not there: "nope"/,
    /^$/
  ],
  [
    'no server',
    'contexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {}}]',
    'x',
    /no valid server/,
    /^$/
  ],
  ['clusters not a list', 'clusters: 3', undefined, /clusters is not a list/, /^$/]
]

for (const [what, content, context, message, hint] of CASES) {
  test(`${what} is one line of KT_KUBECONFIG`, t => {
    const file = write(folder(), 'config', content)
    const error = t.throws(() => readKubeconfig({ kubeconfig: file, context }), { instanceOf: KtError, message })
    t.is(error?.code, 'KT_KUBECONFIG')
    t.regex(error?.hint ?? '', hint)
    t.false(error?.message.includes('\n'))
  })
}

test.serial('no kubeconfig at all says where it was looked for', t => {
  t.throws(() => readKubeconfig({ kubeconfig: '/no/such/file' }), { message: /no kubeconfig file \/no\/such\/file/ })
  withEnvironment('/no/such/file', () =>
    t.throws(() => readKubeconfig({}), { message: /no file of KUBECONFIG=\/no\/such\/file exists/ })
  )
})
