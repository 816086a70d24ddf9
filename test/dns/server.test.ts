import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { decode, encode } from 'dns-packet'
import { Resolver } from '../../lib/dns/server.ts'
import { dnsTrace } from '../../lib/trace.ts'
import { ask, ClusterDns, EDNS, question, resolver, table, told } from './_table.ts'
import { address, upstream } from './_upstream.ts'

const UNKNOWN = 'x.consul.cluster.local'

test('the DNS of the cluster hangs: cluster names fail in less than 5 s, public ones are not touched', async t => {
  const one = await upstream(address('192.0.2.1'))
  t.teardown(() => one.close())
  const to = new Resolver({ names: table(), cluster: () => new Promise(() => {}), upstreams: [one.address] })
  const began = performance.now()
  const failed = told(to, UNKNOWN).then(answers => ({ answers, ms: performance.now() - began }))
  t.deepEqual(await told(to, 'www.example.test'), ['A 192.0.2.1'])
  t.true(performance.now() - began < 500)
  const { answers, ms } = await failed
  t.deepEqual(answers, ['SERVFAIL'])
  t.true(ms < 5000, `${ms} ms`)
})

test('200 questions for one unknown name at once are one question to the cluster', async t => {
  const dns = new ClusterDns({ [`${UNKNOWN} A`]: [{ type: 'A', name: UNKNOWN, ttl: 30, data: '10.1.1.1' }] })
  const to = resolver({
    cluster: async message => {
      await sleep(20)
      return dns.answer(message)
    }
  })
  const all = Array.from({ length: 200 }, async (_, id) => {
    const bytes = await to.answer(question(UNKNOWN, 'A', { id }), 'udp')
    return decode(Buffer.from(bytes!)).id
  })
  t.deepEqual(
    await Promise.all(all),
    Array.from({ length: 200 }, (_, id) => id)
  )
  t.is(dns.asked.length, 1)
  await told(to, UNKNOWN)
  t.is(dns.asked.length, 1, 'it is kept')
})

test('answers of the cluster pass unchanged but for the id', async t => {
  const odd = encode({
    type: 'response',
    flags: 0x8580,
    questions: [{ name: UNKNOWN, type: 'TXT' }],
    answers: [{ type: 'TXT', name: UNKNOWN, ttl: 9, data: 'hello' }]
  })
  const bytes = await resolver({ cluster: async () => odd }).answer(question(UNKNOWN, 'TXT'), 'udp')
  odd.writeUInt16BE(4711)
  t.deepEqual(Buffer.from(bytes!), odd)
})

test('a long answer of the cluster is truncated for UDP and whole for TCP', async t => {
  const answers = Array.from({ length: 100 }, (_, i) => ({
    type: 'A' as const,
    name: UNKNOWN,
    ttl: 9,
    data: `10.1.1.${i}`
  }))
  const cluster = async () => encode({ type: 'response', questions: [{ name: UNKNOWN, type: 'A' }], answers })
  const udp = await resolver({ cluster }).answer(question(UNKNOWN, 'A', { additionals: [EDNS] }), 'udp')
  t.true(decode(Buffer.from(udp!)).flag_tc)
  t.is((await ask(resolver({ cluster }), UNKNOWN)).answers?.length, 100)
})

for (const [what, answer] of [
  ['nothing', new Uint8Array(0)],
  ['half a header', new Uint8Array(7)],
  ['noise', Uint8Array.from({ length: 300 }, (_, i) => (i * 89) & 255)]
] as const) {
  test(`the cluster answers ${what}: no exception`, async t => {
    const to = resolver({ cluster: async () => answer })
    for (const name of [UNKNOWN, 'x.y.pod', 'outside.demo']) {
      t.not(await to.answer(question(name), 'udp'), undefined)
    }
  })
}

test('upstreams can be set later', async t => {
  const one = await upstream(address('192.0.2.1'))
  t.teardown(() => one.close())
  const to = resolver()
  t.deepEqual(await told(to, 'www.example.test'), ['SERVFAIL'])
  to.upstreams = [one.address]
  t.deepEqual(await told(to, 'www.example.test'), ['A 192.0.2.1'])
})

test('what is no question: responses are not answered, others get their rcode', async t => {
  const to = resolver()
  const rcode = async (message: Uint8Array) => {
    const bytes = await to.answer(message, 'udp')
    return bytes === undefined ? undefined : (bytes[3] ?? 0) & 15
  }
  const update = question('nginx')
  update.writeUInt16BE(5 << 11, 2)
  const two = encode({
    questions: [
      { name: 'a', type: 'A' },
      { name: 'b', type: 'A' }
    ]
  })
  t.is(await rcode(encode({ type: 'response', questions: [{ name: 'nginx', type: 'A' }] })), undefined)
  t.is(await rcode(new Uint8Array(11)), undefined)
  t.is(await rcode(update), 4)
  t.is(await rcode(two), 1)
  t.is(await rcode(question('nginx').subarray(0, 15)), 1)
})

test('odd bytes in a name do not make it another name', async t => {
  const dns = new ClusterDns()
  const to = resolver({ cluster: dns.answer })
  const name = question('nginx_demo') // one label…
  name[name.indexOf('_'.charCodeAt(0))] = '.'.charCodeAt(0) // …with a dot in it
  t.is(((await to.answer(name, 'udp'))?.[3] ?? 0) & 15, 2)
  t.deepEqual(dns.asked, [])
})

test('each question is published when somebody listens', async t => {
  const seen: { name: string; source: string; rcode: number; type: string }[] = []
  const listener = (event: unknown) => seen.push(event as (typeof seen)[0])
  dnsTrace.subscribe(listener)
  t.teardown(() => dnsTrace.unsubscribe(listener))
  await told(resolver(), 'nginx.trace-test.svc.cluster.local')
  const [event] = seen.filter(each => each.name.includes('trace-test'))
  t.like(event, { name: 'nginx.trace-test.svc.cluster.local', type: 'A', source: 'watch', rcode: 3 })
})
