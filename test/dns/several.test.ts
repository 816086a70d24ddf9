// Several sessions on one computer: names below a domain of one's own, virtual addresses, and names that another session has.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { decode } from 'dns-packet'
import { reverseName, whoseBelow } from '../../lib/dns/names.ts'
import type { Resolver } from '../../lib/dns/server.ts'
import { ask, ClusterDns, question, resolver, SERVICES, show, table, told } from './_table.ts'
import { address, upstream } from './_upstream.ts'

const SUFFIX = 'west.kt'
/** 10.x is 241.x here. */
const addresses = {
  toVirtual: (one: string): string => one.replace(/^10\./, '241.'),
  toReal: (one: string): string => one.replace(/^241\./, '10.')
}
const VIRTUAL = { addresses, suffix: SUFFIX, isClusterAddress: (one: string) => one.startsWith('241.') }

test('every spelling below the own domain is the session’s, known or not', t => {
  const names = table()
  const full = (name: string): string | undefined => {
    const found = whoseBelow(SUFFIX, name, names, ['corp.internal'])
    return found?.kind === 'cluster' || found?.kind === 'included' ? found.name : undefined
  }
  t.is(full('nginx.west.kt'), 'nginx.demo.svc.cluster.local')
  t.is(full('nginx.demo.west.kt'), 'nginx.demo.svc.cluster.local')
  t.is(full('nginx.demo.svc.west.kt'), 'nginx.demo.svc.cluster.local')
  t.is(full('nginx.demo.svc.cluster.local.west.kt'), 'nginx.demo.svc.cluster.local')
  t.is(full('web-0.web.demo.west.kt'), 'web-0.web.demo.svc.cluster.local')
  t.is(full('nobody.west.kt'), 'nobody.demo.svc.cluster.local')
  t.is(full('nobody.shop.west.kt'), 'nobody.shop.svc.cluster.local')
  t.is(full('git.corp.internal.west.kt'), 'git.corp.internal')
  t.is(full('west.kt'), 'cluster.local')
  for (const other of ['nginx.demo', 'nginx.demo.east.kt', 'xwest.kt', 'kt', 'nginx.demo.west.kt.test'])
    t.is(whoseBelow(SUFFIX, other, names), undefined, other)
})

test('the own domain is answered with the names that were asked for, and never passed on', async t => {
  const to = resolver({ suffix: SUFFIX, upstreams: ['127.0.0.1:1'], cluster: new ClusterDns().answer })
  t.deepEqual(await told(to, 'nginx.demo.west.kt'), ['A 10.96.0.7'])
  t.deepEqual(
    (await ask(to, 'Nginx.Demo.West.kt')).answers?.map(({ name }) => name),
    ['Nginx.Demo.West.kt']
  )
  t.deepEqual(await told(to, 'nginx.demo'), ['A 10.96.0.7'], 'as without it')
  t.deepEqual(await told(to, 'nobody.demo.west.kt'), ['NXDOMAIN SOA'])
  t.deepEqual(await told(to, 'nobody.west.kt'), ['NXDOMAIN SOA'])
  t.deepEqual(await told(to, 'west.kt'), ['NODATA SOA'])
})

test('targets in such an answer lead to the same session again', async t => {
  const to = resolver({ suffix: SUFFIX })
  t.deepEqual(await told(to, 'inside.demo.west.kt'), ['CNAME nginx.demo.svc.cluster.local.west.kt', 'A 10.96.0.7'])
  const { answers = [], additionals = [] } = await ask(to, '_http._tcp.web.demo.svc.west.kt', 'SRV')
  const targets = answers.map(answer => (answer.type === 'SRV' ? answer.data.target : ''))
  t.true(targets.includes('web-0.web.demo.svc.cluster.local.west.kt'), targets.join())
  const owners = additionals.filter(({ type }) => type !== 'OPT').map(({ name }) => name)
  t.deepEqual([...new Set(owners)].sort(), [...targets].sort())
})

test('addresses are virtual in answers of the watch and of the cluster’s DNS, also kept ones', async t => {
  const name = 'x.pod.cluster.local'
  const dns = new ClusterDns({ [`${name} A`]: [{ type: 'A', name, ttl: 30, data: '10.244.3.4' }] })
  const learned: string[] = []
  const to = resolver({ ...VIRTUAL, cluster: dns.answer, learned: one => learned.push(one) })
  t.deepEqual(await told(to, 'nginx'), ['A 241.96.0.7'])
  t.deepEqual(await told(to, 'dual.demo', 'AAAA'), ['AAAA fd00:10:96::8'])
  t.deepEqual(await told(to, name), ['A 241.244.3.4'])
  t.deepEqual(await told(to, name), ['A 241.244.3.4'])
  t.deepEqual(await told(to, 'x.pod.west.kt'), ['A 241.244.3.4'])
  t.deepEqual([...new Set(dns.asked)], [`${name} A`])
  const { additionals = [] } = await ask(to, '_http._tcp.nginx.demo.svc', 'SRV')
  t.true(additionals.some(record => record.type === 'A' && record.data === '241.96.0.7'))
  t.true(learned.includes('10.96.0.7') && learned.includes('10.244.3.4') && !learned.some(one => /^241/.test(one)))
})

test('addresses of other names are nobody’s business', async t => {
  const one = await upstream(address('10.96.0.7'))
  t.teardown(() => one.close())
  const to = resolver({ ...VIRTUAL, upstreams: [one.address] })
  t.deepEqual(await told(to, 'www.example.test'), ['A 10.96.0.7'])
})

test('a virtual address is looked up backwards, to a name that leads to it', async t => {
  const owner = { namespace: 'demo', service: 'nginx' }
  const names = table(SERVICES, { reverse: one => (one === '10.96.0.7' ? [owner] : []) })
  const data = 'host.demo.svc.cluster.local'
  const dns = new ClusterDns({
    '9.0.96.10.in-addr.arpa PTR': [{ type: 'PTR', name: '9.0.96.10.in-addr.arpa', ttl: 5, data }]
  })
  const to = resolver({ ...VIRTUAL, names, cluster: dns.answer })
  t.deepEqual(await told(to, '7.0.96.241.in-addr.arpa', 'PTR'), ['PTR nginx.demo.svc.cluster.local.west.kt'])
  t.deepEqual(await told(to, 'nginx.demo.svc.cluster.local.west.kt'), ['A 241.96.0.7'])
  t.deepEqual(await told(to, '9.0.96.241.in-addr.arpa', 'PTR'), [`PTR ${data}.west.kt`])
  t.deepEqual(dns.asked, ['9.0.96.10.in-addr.arpa PTR'])
})

test('reverse names of both families', t => {
  t.is(reverseName('10.96.0.7'), '7.0.96.10.in-addr.arpa')
  t.is(reverseName('fd00::7'), '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa')
  t.is(reverseName('nginx'), undefined)
})

/** A session's resolver at the port where other sessions ask it. */
async function peer(t: ExecutionContext, to: Resolver): Promise<{ address: string; asked: () => number }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  let asked = 0
  socket.on('message', (bytes, { port }) => {
    asked++
    void to.own.answer(bytes, 'udp').then(answer => answer && socket.send(answer, port, '127.0.0.1'))
  })
  return { address: `127.0.0.1:${(socket.address() as AddressInfo).port}`, asked: () => asked }
}

const shop = { namespace: 'shop', kind: 'ClusterIP' as const, ports: [], endpoints: [], externalName: '' }
const WEST = table([
  { ...shop, name: 'nginx', namespace: 'demo', addresses: ['10.96.7.7'] },
  { ...shop, name: 'pay', addresses: ['10.96.7.8'] }
])

test('a name is that of the first who has it; what nobody has goes where it went before', async t => {
  const one = await upstream(address('192.0.2.1'))
  t.teardown(() => one.close())
  const west = await peer(t, resolver({ ...VIRTUAL, names: WEST }))
  const east = resolver({ suffix: 'east.kt', upstreams: [one.address] })
  east.peers = [west.address]
  const by = async (name: string): Promise<string> => (await told(east, name, 'A', 'udp')).join()
  t.is(await by('nginx.demo'), 'A 10.96.0.7', 'both have it')
  t.is(west.asked(), 0)
  t.is(await by('nginx.demo.west.kt'), 'A 241.96.7.7')
  t.is(await by('pay.shop'), 'A 241.96.7.8')
  t.is(await by('pay.shop.svc.cluster.local'), 'A 241.96.7.8', 'the first says that there is none')
  t.is(await by('nobody.shop.svc.cluster.local'), 'NXDOMAIN SOA')
  t.is(one.asked.length, 0)
  const before = west.asked()
  t.is(await by('nobody.demo.east.kt'), 'NXDOMAIN SOA')
  t.is(west.asked(), before, 'the own domain is sure')
  t.is(await by('www.example.test'), 'A 192.0.2.1')
})

test('a session refuses other sessions what is not its own', async t => {
  const one = await upstream(address('192.0.2.1'))
  t.teardown(() => one.close())
  const to = resolver({ upstreams: [one.address] })
  const bytes = await to.own.answer(question('www.example.test'), 'udp')
  t.deepEqual(show(decode(Buffer.from(bytes!))), ['REFUSED'])
  t.is(one.asked.length, 0)
})

test('a session that hangs holds up one question, not those behind it', async t => {
  const one = await upstream(address('192.0.2.1'))
  t.teardown(() => one.close())
  const silent = createSocket('udp4').bind(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const to = resolver({ upstreams: [one.address] })
  to.peers = [`127.0.0.1:${silent.address().port}`]
  t.deepEqual(await told(to, 'www.example.test', 'A', 'udp'), ['A 192.0.2.1'])
  await sleep(1)
  const began = performance.now()
  t.deepEqual(await told(to, 'ftp.example.test', 'A', 'udp'), ['A 192.0.2.1'])
  t.true(performance.now() - began < 1000)
})
