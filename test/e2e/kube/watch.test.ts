import { setTimeout as sleep } from 'node:timers/promises'
import { CONFIG_MAPS } from '../../../lib/kube/api/resource.ts'
import { watchObjects } from '../../../lib/kube/api/watch.ts'
import { adminUser, as, create, e2e, freshNamespace, until } from './_support/cluster.ts'
import { connectProxy, reverseProxy } from './_support/proxies.ts'

const MINE = { fieldSelector: 'metadata.name!=kube-root-ca.crt' }

e2e('a watch goes on after its connection was cut, reports each change once, and does not hurry', async t => {
  const direct = await freshNamespace(t)
  const { namespace } = direct
  const proxy = await connectProxy(t)
  const cluster = await as(t, namespace, adminUser(), { 'proxy-url': proxy.url })
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const reported: string[] = []
  const troubles: Error[] = []
  const put = (name: string) => create(direct, { ...CONFIG_MAPS, body: { metadata: { name } } })
  const del = (name: string) => direct.api.call({ ...CONFIG_MAPS, verb: 'delete', namespace, name })
  await put('a')
  await watchObjects(cluster.api, {
    resource: CONFIG_MAPS,
    namespace,
    query: MINE,
    signal: stop.signal,
    onObject: (key, object) => reported.push(`${object === undefined ? '-' : '+'}${key.split('/')[1]}`),
    onTrouble: error => troubles.push(error)
  })
  t.deepEqual(reported, ['+a'])
  await put('b')
  await until(() => reported.length === 2)
  await sleep(100)
  proxy.cut()
  await put('c')
  await del('a')
  await until(() => reported.length === 4)
  t.deepEqual(reported.slice(2), ['+c', '-a'])
  const before = proxy.count()
  for (let i = 0; i < 10; i++) {
    proxy.cut()
    await sleep(100)
  }
  t.true(proxy.count() - before < 10, `${proxy.count() - before} connections in a second of cuts`)
  await put('d')
  await until(() => reported.includes('+d'))
  t.deepEqual(reported, ['+a', '+b', '+c', '-a', '+d'])
  t.true(troubles.length > 0)
})

e2e('a version that is too old (410) is followed by a new list, with the differences only', async t => {
  const direct = await freshNamespace(t)
  const { namespace } = direct
  const { certificate, key } = await direct.credentials.current()
  let old: boolean = true
  const watches: string[] = []
  // The way ages the version of the first watch; the refusal is the API server's own.
  const rewrite = (path: string) => {
    if (!path.includes('watch=true')) return path
    watches.push(path)
    return old ? path.replace(/resourceVersion=\d+/, 'resourceVersion=1') : path
  }
  const proxy = await reverseProxy(
    t,
    direct.server.href,
    { cert: certificate!, key: key!, rejectUnauthorized: false },
    '',
    rewrite
  )
  const cluster = await as(t, namespace, {}, { server: proxy.url })
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const reported: string[] = []
  await create(direct, { ...CONFIG_MAPS, body: { metadata: { name: 'a' } } })
  await watchObjects(cluster.api, {
    resource: CONFIG_MAPS,
    namespace,
    query: MINE,
    signal: stop.signal,
    onObject: key => reported.push(key)
  })
  await until(() => watches.length > 0)
  await create(direct, { ...CONFIG_MAPS, body: { metadata: { name: 'b' } } })
  await until(() => reported.length === 2)
  t.true(watches.length < 10, `${watches.length} watches`)
  old = false
  await sleep(2_000)
  await create(direct, { ...CONFIG_MAPS, body: { metadata: { name: 'c' } } })
  await until(() => reported.length === 3)
  t.deepEqual(
    reported,
    ['a', 'b', 'c'].map(name => `${namespace}/${name}`)
  )
  t.true(watches.every(path => path.includes('allowWatchBookmarks=true')))
})
