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

e2e(
  'a watch behind a way that swallows begins anew at once when the way changes, and by itself when its time is over',
  async t => {
    const direct = await freshNamespace(t)
    const { namespace } = direct
    const proxy = await connectProxy(t)
    const cluster = await as(t, namespace, adminUser(), { 'proxy-url': proxy.url })
    const stop = new AbortController()
    t.teardown(() => stop.abort())
    const troubles: Error[] = []
    const watch = async (seconds?: [number, number]): Promise<string[]> => {
      const reported: string[] = []
      await watchObjects(cluster.api, {
        ...{ resource: CONFIG_MAPS, namespace, query: MINE, signal: stop.signal },
        onObject: key => reported.push(key.split('/')[1]!),
        onTrouble: error => troubles.push(error),
        ...(seconds === undefined ? {} : { seconds })
      })
      return reported
    }
    const put = (name: string) => create(direct, { ...CONFIG_MAPS, body: { metadata: { name } } })
    const long = await watch()
    await sleep(1_000) // it has its connection
    proxy.swallow()
    await put('a')
    await sleep(1_000)
    t.deepEqual(long, [], 'nothing comes through')
    const told = performance.now()
    cluster.api.wayChanged()
    await until(() => long.length === 1)
    t.true(performance.now() - told < 2_000)
    t.deepEqual(troubles, [], 'that was no failure')
    const short = await watch([3, 3])
    await sleep(1_000)
    const swallowed = performance.now()
    proxy.swallow()
    await put('b')
    await until(() => short.includes('b'))
    t.true(performance.now() - swallowed > 4_000, 'not before its time was over')
    t.deepEqual([long, short], [['a'], ['a', 'b']])
  }
)

e2e('a list that breaks off between two pages is begun anew, and what has gone meanwhile is reported', async t => {
  const direct = await freshNamespace(t)
  const { namespace } = direct
  const { certificate, key } = await direct.credentials.current()
  const names = ['a', 'b', 'c']
  for (const name of names) await create(direct, { ...CONFIG_MAPS, body: { metadata: { name } } })
  let way: 'closed' | 'old' | 'broken' | 'open' = 'closed'
  // Pages of one object; watches wait, then begin at a version that is too old, and the list that follows loses its second page.
  const rewrite = (path: string) => {
    if (path.includes('watch=true')) {
      if (way === 'closed') return '/nowhere'
      if (way !== 'old') return path
      way = 'broken'
      return path.replace(/resourceVersion=\d+/, 'resourceVersion=1')
    }
    if (way === 'broken' && path.includes('continue=')) {
      way = 'open'
      return '/nowhere'
    }
    return path.replace('limit=500', 'limit=1')
  }
  const tls = { cert: certificate!, key: key!, rejectUnauthorized: false }
  const proxy = await reverseProxy(t, direct.server.href, tls, '', rewrite)
  const cluster = await as(t, namespace, {}, { server: proxy.url })
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const known = new Set<string>()
  await watchObjects(cluster.api, {
    ...{ resource: CONFIG_MAPS, namespace, query: MINE, signal: stop.signal },
    onObject: (key, object) => void (object === undefined ? known.delete(key) : known.add(key))
  })
  const keys = names.map(name => `${namespace}/${name}`)
  t.deepEqual([...known], keys)
  await direct.api.call({ ...CONFIG_MAPS, verb: 'delete', namespace, name: 'b' })
  way = 'old'
  await until(() => known.size === 2)
  t.deepEqual([...known], [keys[0]!, keys[2]!])
  t.is(way as string, 'open')
})
