import { isIP } from 'node:net'
import type { Cluster, Node, Service } from '../../../lib/kube/api/client.ts'
import { ENDPOINT_SLICES, NODES, type Resource, SERVICES } from '../../../lib/kube/api/resource.ts'
import { contains, parseCidr } from '../../../lib/kube/network/cidr.ts'
import { discoverRanges, type PodFacts, watchRanges } from '../../../lib/kube/network/ranges.ts'
import { watchServices } from '../../../lib/kube/network/services.ts'
import { accountToken, as, create, DEVELOPER_RULES, e2e, freshNamespace, until } from './_support/cluster.ts'

const NO_FACTS: PodFacts = { serviceHost: '', podAddresses: [], resolvConf: '', routes: '' }
const DOMAIN = 'cluster.local'

async function kubernetesAddress({ api }: Cluster): Promise<string> {
  return (await api.call<Service>({ ...SERVICES, verb: 'get', namespace: 'default', name: 'kubernetes' })).spec!
    .clusterIP!
}

e2e(
  'ranges: the same service range with all rights and with those in one namespace; nodes and the API server stay outside',
  async t => {
    const admin = await freshNamespace(t)
    const service = parseCidr(await kubernetesAddress(admin))!
    const nodes = (await admin.api.call<{ items: Node[] }>({ ...NODES, verb: 'list' })).items
    const all = await discoverRanges(admin, NO_FACTS)
    const serviceRanges = all.ranges.filter(r => r.kind === 'service')
    t.true(serviceRanges.some(r => contains(parseCidr(r.cidr)!, service)))
    for (const cidr of nodes.flatMap(n => n.spec?.podCIDRs ?? []))
      t.true(
        all.ranges.some(r => r.kind === 'pod' && contains(parseCidr(r.cidr)!, parseCidr(cidr)!)),
        cidr
      )
    for (const { address } of nodes.flatMap(n => n.status?.addresses ?? []))
      if (isIP(address))
        t.true(
          all.never.some(n => n.address === address),
          address
        )
    if (isIP(admin.server.hostname))
      t.deepEqual(all.never[0], { address: admin.server.hostname, reason: 'the API server' })

    const developer = await as(t, admin.namespace, { token: await accountToken(admin, DEVELOPER_RULES) })
    const few = await discoverRanges(developer, { ...NO_FACTS, podAddresses: [{ address: '10.244.1.9', prefix: 24 }] })
    t.deepEqual(
      few.ranges.filter(r => r.kind === 'service').map(r => r.cidr),
      serviceRanges.map(r => r.cidr)
    )
    t.deepEqual(
      few.ranges.filter(r => r.kind === 'pod').map(r => r.reason),
      ["network of the agent's pod"]
    )
  }
)

e2e('ranges are watched: a node that comes and goes', async t => {
  const cluster = await freshNamespace(t)
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  let ranges = await discoverRanges(cluster, NO_FACTS)
  await watchRanges(cluster, NO_FACTS, ranges, stop.signal, changed => (ranges = changed))
  const name = `kube-e2e-${process.pid}`
  await cluster.api.call({
    ...NODES,
    verb: 'create',
    body: { metadata: { name }, spec: { podCIDR: '10.99.7.0/24', podCIDRs: ['10.99.7.0/24'], unschedulable: true } }
  })
  try {
    await until(() => ranges.ranges.some(r => r.cidr === '10.99.7.0/24' && r.reason === `podCIDR of node ${name}`))
  } finally {
    await cluster.api.call({ ...NODES, verb: 'delete', name })
  }
  await until(() => !ranges.ranges.some(r => r.cidr === '10.99.7.0/24'))
  t.pass()
})

e2e(
  'names: ClusterIP, headless with host names, not ready, ExternalName, changes; complete for who may see all',
  async t => {
    const cluster = await freshNamespace(t)
    const { namespace } = cluster
    const stop = new AbortController()
    t.teardown(() => stop.abort())
    const names = await watchServices(cluster, DOMAIN, stop.signal)
    t.true(names.complete)
    t.is(names.namespace, namespace)
    t.deepEqual(names.service('default', 'kubernetes')?.addresses, [await kubernetesAddress(cluster)])
    t.true(names.hasNamespace('kube-public'))
    t.false(names.hasNamespace('no-such-namespace'))
    let changes = 0
    names.onChange = () => changes++

    const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
    await create(cluster, {
      ...SERVICES,
      body: { metadata: { name: 'web' }, spec: { ports, selector: { app: 'none' } } }
    })
    await create(cluster, { ...SERVICES, body: { metadata: { name: 'db' }, spec: { clusterIP: 'None', ports } } })
    await create(cluster, {
      ...SERVICES,
      body: { metadata: { name: 'out' }, spec: { type: 'ExternalName', externalName: 'example.com' } }
    })
    const metadata = { name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } }
    const endpoints = [
      { addresses: ['10.1.2.3'], hostname: 'db-0' },
      { addresses: ['10.1.2.4'], conditions: { ready: false } },
      { addresses: ['10.1.2.5'], conditions: { ready: true } }
    ]
    await create(cluster, {
      ...ENDPOINT_SLICES,
      body: { metadata, addressType: 'IPv4', endpoints, ports: [{ name: 'http', port: 8080 }] }
    })
    await until(
      () => names.service(namespace, 'db')?.endpoints.length === 2 && names.service(namespace, 'out') !== undefined
    )
    const port = { name: 'http', protocol: 'tcp', port: 8080 }
    t.deepEqual(names.service(namespace, 'db')?.endpoints, [
      { address: '10.1.2.3', hostname: 'db-0', ports: [port] },
      { address: '10.1.2.5', hostname: '', ports: [port] }
    ])
    t.is(names.service(namespace, 'web')?.kind, 'ClusterIP')
    t.deepEqual(names.service(namespace, 'web')?.ports, [{ name: 'http', protocol: 'tcp', port: 80 }])
    t.is(names.service(namespace, 'out')?.externalName, 'example.com')
    t.true(names.hasNamespace(namespace))
    t.true(changes > 0)

    await cluster.api.call({ ...ENDPOINT_SLICES, verb: 'delete', namespace, name: 'db-1' })
    await cluster.api.call({ ...SERVICES, verb: 'delete', namespace, name: 'web' })
    await until(
      () => names.service(namespace, 'db')?.endpoints.length === 0 && names.service(namespace, 'web') === undefined
    )
  }
)

e2e(
  'names with rights in one namespace: that namespace, and not complete; without slices no headless answers',
  async t => {
    const admin = await freshNamespace(t)
    const { namespace } = admin
    const stop = new AbortController()
    t.teardown(() => stop.abort())
    await create(admin, { ...SERVICES, body: { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } } })
    await create(admin, { ...SERVICES, body: { metadata: { name: 'db' }, spec: { clusterIP: 'None' } } })
    const developer = await as(t, namespace, { token: await accountToken(admin, DEVELOPER_RULES) })
    const names = await watchServices(developer, DOMAIN, stop.signal)
    t.false(names.complete)
    t.is(names.service(namespace, 'web')?.kind, 'ClusterIP')
    t.is(names.service(namespace, 'db')?.kind, 'Headless')
    t.is(names.service('default', 'kubernetes'), undefined)

    const ROLES: Resource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'roles' }
    await admin.api.call({
      ...ROLES,
      verb: 'patch',
      namespace,
      name: 'developer',
      body: { rules: [{ apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] }] }
    })
    const blind = await watchServices(developer, DOMAIN, stop.signal)
    t.is(blind.service(namespace, 'web')?.kind, 'ClusterIP')
    t.is(blind.service(namespace, 'db'), undefined)
  }
)
