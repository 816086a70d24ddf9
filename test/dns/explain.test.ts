import test from 'ava'
import { Resolver } from '../../lib/dns/server.ts'
import { ClusterDns, resolver, table, told } from './_table.ts'
import { address, upstream } from './_upstream.ts'

const LEFT = 'x.consul.cluster.local'
const KNOWN = { 'db.corp.example A': [{ type: 'A' as const, name: 'db.corp.example', ttl: 30, data: '10.9.9.9' }] }

/** The texts of the steps. */
async function steps(to: Resolver, name: string, type = 'A'): Promise<Record<string, string>> {
  const found = await to.explain(name, type)
  return Object.fromEntries((found?.steps ?? []).map(({ step, text }) => [step, text]))
}

test('a service: the short form, the watch, the records', async t => {
  const found = await resolver().explain('nginx', 'a')
  t.like(found, { name: 'nginx', type: 'A', rcode: 'NOERROR', source: 'watch' })
  t.deepEqual(found?.records, [{ name: 'nginx', ttl: 5, type: 'A', data: '10.96.0.7' }])
  t.like(await steps(resolver(), 'nginx'), {
    rule: 'nginx is short for nginx.demo.svc.cluster.local, as in a pod of namespace demo',
    source: 'the watch of Services and EndpointSlices: service nginx in namespace demo, ClusterIP 10.96.0.7'
  })
  const srv = await resolver().explain('_http._tcp.nginx.demo.svc.cluster.local.', 'SRV')
  t.is(srv?.records[0]?.data, '0 100 80 nginx.demo.svc.cluster.local')
})

test('what is not there: the service, the namespace, the type', async t => {
  t.regex((await steps(resolver(), 'none.demo.svc.cluster.local')).source ?? '', /no service none in namespace demo$/)
  t.regex((await steps(resolver(), 'nowhere.svc.cluster.local')).source ?? '', /namespace nowhere is not there$/)
  t.regex((await steps(resolver(), 'nginx', 'AAAA')).answer ?? '', /^NOERROR, but no record of this type, after/)
})

test("the cluster's DNS: asked once, then kept", async t => {
  const to = resolver({ cluster: new ClusterDns(KNOWN).answer, includeDomains: ['corp.example'] })
  t.like(await to.explain('db.corp.example', 'A'), { source: 'cluster', records: [{ data: '10.9.9.9' }] })
  t.like(await to.explain('db.corp.example', 'A'), { source: 'cache' })
  t.regex((await steps(to, 'db.corp.example')).rule ?? '', /ends in corp\.example \(--includeDomains\)/)
  t.like(await resolver().explain(LEFT, 'A'), { source: 'none', rcode: 'SERVFAIL' })
  t.is((await steps(resolver(), LEFT)).source, 'nobody: the cluster must not be asked here')
})

test('other names: which of the upstreams has answered', async t => {
  const one = await upstream(address('192.0.2.1'))
  t.teardown(() => one.close())
  const to = new Resolver({ names: table(), cluster: () => Promise.reject(new Error()), upstreams: [one.address] })
  t.like(await to.explain('www.example.test', 'A'), { source: 'upstream', records: [{ data: '192.0.2.1' }] })
  t.true((await steps(to, 'www.example.test')).source?.startsWith(one.address))
})

test('the API server is found as without kt, whatever is the cluster’s or another session’s', async t => {
  const [one, peer] = await Promise.all([upstream(address('192.0.2.1')), upstream(address('192.0.2.2'))])
  t.teardown(() => one.close())
  t.teardown(() => peer.close())
  const dns = new ClusterDns(KNOWN)
  const to = resolver({
    ...{ cluster: dns.answer, upstreams: [one.address], includeDomains: ['corp.example'] },
    way: ['DB.corp.example.', 'nginx.demo']
  })
  to.peers = [peer.address]
  for (const name of ['db.corp.example', 'nginx.demo']) {
    t.like(await to.explain(name, 'A'), { source: 'upstream', records: [{ data: '192.0.2.1' }] }, name)
    t.is((await steps(to, name)).rule, `${name} is the API server, or what stands before it: found as without kt`)
  }
  t.deepEqual([dns.asked, peer.asked], [[], []])
  t.deepEqual(await told(to, 'nginx.demo.svc.cluster.local'), ['A 10.96.0.7'], 'by its full name it is a service')
})

test('no name and no type are no question', async t => {
  for (const [name, type] of [
    ['', 'A'],
    ['a..b', 'A'],
    [`${'x'.repeat(64)}.test`, 'A'],
    [`${'x.'.repeat(127)}x`, 'A'],
    ['nginx', 'NOTYPE'],
    ['nginx', 'TYPE65536']
  ] as const) {
    t.is(await resolver().explain(name, type), undefined, `${name} ${type}`)
  }
  t.like(await resolver().explain('nginx', 'TYPE28'), { type: 'AAAA' })
})

test('wpad is not asked for in included domains either', async t => {
  const dns = new ClusterDns()
  const to = resolver({ cluster: dns.answer, includeDomains: ['corp.example'] })
  t.deepEqual(await told(to, 'wpad.corp.example'), ['NXDOMAIN SOA'])
  t.deepEqual(dns.asked, [])
})

test('PTR of endpoints: one for each service, by host name or by address', async t => {
  const names = table(undefined, {
    reverse: address => [
      { namespace: 'demo', service: 'web', endpoint: { address, hostname: 'web-0' } },
      { namespace: 'demo', service: 'all', endpoint: { address, hostname: '' } },
      { namespace: 'demo', service: 'all', endpoint: { address, hostname: '' } }
    ]
  })
  t.deepEqual(await told(resolver({ names }), '7.0.96.10.in-addr.arpa', 'PTR'), [
    'PTR web-0.web.demo.svc.cluster.local',
    'PTR 10-96-0-7.all.demo.svc.cluster.local'
  ])
})
