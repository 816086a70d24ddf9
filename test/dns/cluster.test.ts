// The Kubernetes DNS specification, record by record, as CoreDNS answers it.
import test from 'ava'
import { decode } from 'dns-packet'
import { RCODE, rcodeOf } from '../../lib/dns/message.ts'
import { ask, ClusterDns, EDNS, question, resolver, show, table, told } from './_table.ts'

const NXDOMAIN = ['NXDOMAIN SOA']
const NODATA = ['NODATA SOA']

const ROWS: [name: string, type: string, ...answers: string[]][] = [
  ['nginx.demo.svc.cluster.local', 'A', 'A 10.96.0.7'],
  ['NGINX.Demo.SVC.Cluster.Local', 'A', 'A 10.96.0.7'],
  ['nginx.demo.svc.cluster.local', 'AAAA', ...NODATA],
  ['nginx.demo.svc.cluster.local', 'MX', ...NODATA],
  ['nginx.demo.svc.cluster.local', 'TXT', ...NODATA],
  ['dual.demo.svc.cluster.local', 'A', 'A 10.96.0.8'],
  ['dual.demo.svc.cluster.local', 'AAAA', 'AAAA fd00:10:96::8'],
  // As CoreDNS counts: one share for each address.
  ['dual.demo.svc.cluster.local', 'SRV', 'SRV 0 50 80 dual.demo.svc.cluster.local'],
  ['kubernetes.default.svc.cluster.local', 'A', 'A 10.96.0.1'],
  ['nginx.other.svc.cluster.local', 'A', ...NXDOMAIN],
  ['none.demo.svc.cluster.local', 'A', ...NXDOMAIN],
  ['none.demo.svc.cluster.local', 'AAAA', ...NXDOMAIN],
  ['*.demo.svc.cluster.local', 'A', ...NXDOMAIN],
  ['a.b.c.nginx.demo.svc.cluster.local', 'A', ...NXDOMAIN],
  // Not a name of its own, but its parent exists.
  ['cluster.local', 'A', ...NODATA],
  ['svc.cluster.local', 'A', ...NODATA],
  ['pod.cluster.local', 'A', ...NODATA],
  ['demo.svc.cluster.local', 'A', ...NODATA],
  ['empty.svc.cluster.local', 'AAAA', ...NODATA],
  ['nowhere.svc.cluster.local', 'A', ...NXDOMAIN],
  ['dns-version.cluster.local', 'TXT', 'TXT 1.1.0'],
  // SRV
  ['_http._tcp.nginx.demo.svc.cluster.local', 'SRV', 'SRV 0 100 80 nginx.demo.svc.cluster.local'],
  ['_http._tcp.nginx.demo.svc.cluster.local', 'A', 'A 10.96.0.7'],
  ['nginx.demo.svc.cluster.local', 'SRV', 'SRV 0 100 80 nginx.demo.svc.cluster.local'],
  ['_https._tcp.nginx.demo.svc.cluster.local', 'SRV', ...NXDOMAIN],
  ['_http._udp.nginx.demo.svc.cluster.local', 'SRV', ...NXDOMAIN],
  ['unnamed.demo.svc.cluster.local', 'SRV', 'SRV 0 100 80 unnamed.demo.svc.cluster.local'],
  ['noports.demo.svc.cluster.local', 'SRV', ...NODATA],
  // Two ports with the same number are one record, with the share of one.
  ['kube-dns.kube-system.svc.cluster.local', 'SRV', 'SRV 0 50 53 kube-dns.kube-system.svc.cluster.local'],
  ['_dns._udp.kube-dns.kube-system.svc.cluster.local', 'SRV', 'SRV 0 100 53 kube-dns.kube-system.svc.cluster.local'],
  // Headless
  ['web.demo.svc.cluster.local', 'A', 'A 10.244.1.5', 'A 10.244.1.6', 'A 10.244.2.7'],
  ['web.demo.svc.cluster.local', 'AAAA', ...NODATA],
  ['six.demo.svc.cluster.local', 'AAAA', 'AAAA fd00:244::5'],
  ['fd00-244--5.six.demo.svc.cluster.local', 'AAAA', 'AAAA fd00:244::5'],
  ['empty.demo.svc.cluster.local', 'A', ...NXDOMAIN],
  ['empty.demo.svc.cluster.local', 'SRV', ...NXDOMAIN],
  ['web-0.web.demo.svc.cluster.local', 'A', 'A 10.244.1.5'],
  ['WEB-0.web.demo.svc.cluster.local', 'A', 'A 10.244.1.5'],
  ['web-0.web.demo.svc.cluster.local', 'AAAA', ...NODATA],
  ['web-7.web.demo.svc.cluster.local', 'A', ...NXDOMAIN],
  ['10-244-2-7.web.demo.svc.cluster.local', 'A', 'A 10.244.2.7'],
  ['10-244-1-5.web.demo.svc.cluster.local', 'A', ...NXDOMAIN], // it has a host name
  [
    '_http._tcp.web.demo.svc.cluster.local',
    'SRV',
    'SRV 0 33 80 web-0.web.demo.svc.cluster.local',
    'SRV 0 33 80 web-1.web.demo.svc.cluster.local',
    'SRV 0 33 80 10-244-2-7.web.demo.svc.cluster.local'
  ],
  ['_grpc._tcp.web.demo.svc.cluster.local', 'SRV', ...NXDOMAIN],
  // ExternalName
  ['inside.demo.svc.cluster.local', 'A', 'CNAME nginx.demo.svc.cluster.local', 'A 10.96.0.7'],
  ['inside.demo.svc.cluster.local', 'CNAME', 'CNAME nginx.demo.svc.cluster.local'],
  ['inside.demo.svc.cluster.local', 'AAAA', ...NODATA],
  ['lost.demo.svc.cluster.local', 'A', ...NODATA],
  [
    'twice.demo.svc.cluster.local',
    'A',
    'CNAME inside.demo.svc.cluster.local',
    'CNAME nginx.demo.svc.cluster.local',
    'A 10.96.0.7'
  ],
  ['_http._tcp.inside.demo.svc.cluster.local', 'SRV', ...NXDOMAIN],
  // Short names
  ['nginx', 'A', 'A 10.96.0.7'],
  ['nginx.', 'A', 'A 10.96.0.7'],
  ['nginx.demo', 'A', 'A 10.96.0.7'],
  ['kubernetes.default', 'A', 'A 10.96.0.1'],
  ['nginx.demo.svc', 'A', 'A 10.96.0.7'],
  ['nginx.demo.svc', 'AAAA', ...NODATA],
  ['none.demo.svc', 'A', ...NXDOMAIN],
  ['web-0.web', 'A', 'A 10.244.1.5'],
  ['web-0.web.demo', 'A', 'A 10.244.1.5'],
  ['_http._tcp.nginx', 'SRV', 'SRV 0 100 80 nginx.demo.svc.cluster.local'],
  ['inside', 'A', 'CNAME nginx.demo.svc.cluster.local', 'A 10.96.0.7'],
  // A proxy is not looked for in the cluster.
  ['wpad.demo.svc.cluster.local', 'A', ...NXDOMAIN],
  ['wpad.cluster.local', 'A', ...NXDOMAIN],
  ['wpad.some.pod.cluster.local', 'A', ...NXDOMAIN]
]

for (const [name, type, ...answers] of ROWS) {
  test(`${name} ${type}`, async t => {
    t.deepEqual(await told(resolver(), name, type), answers)
  })
}

test('the owner of each record is the name as it was asked, with its spelling', async t => {
  const { answers = [], questions = [] } = await ask(resolver(), 'NGINX.demo')
  t.deepEqual(questions[0]?.name, 'NGINX.demo')
  t.deepEqual(
    answers.map(({ name }) => name),
    ['NGINX.demo']
  )
})

test('answers are authoritative, offer recursion and can be kept for a few seconds', async t => {
  const packet = await ask(resolver(), 'nginx.demo.svc.cluster.local')
  t.true(packet.flag_aa)
  t.true(packet.flag_ra)
  t.true(packet.flag_rd)
  t.false(packet.flag_tc)
  t.is(packet.id, 4711)
  t.deepEqual(
    packet.answers?.map(record => (record as { ttl: number }).ttl),
    [5]
  )
})

test('SRV: the addresses of the targets come along', async t => {
  const { additionals = [] } = await ask(resolver(), '_http._tcp.web.demo.svc.cluster.local', 'SRV')
  t.deepEqual(
    additionals.map(record => [record.name, (record as { data: string }).data]),
    [
      ['web-0.web.demo.svc.cluster.local', '10.244.1.5'],
      ['web-1.web.demo.svc.cluster.local', '10.244.1.6'],
      ['10-244-2-7.web.demo.svc.cluster.local', '10.244.2.7']
    ]
  )
})

test('ExternalName to a foreign name: its addresses are asked from the cluster', async t => {
  const dns = new ClusterDns({
    'db.example.test A': [{ type: 'A', name: 'db.example.test', ttl: 60, data: '192.0.2.5' }]
  })
  const learned: string[] = []
  const to = resolver({ cluster: dns.answer, learned: address => learned.push(address) })
  t.deepEqual(await told(to, 'outside.demo'), ['CNAME db.example.test', 'A 192.0.2.5'])
  t.deepEqual(dns.asked, ['db.example.test A'])
  t.true(learned.includes('192.0.2.5'))
})

test('ExternalName: without an answer of the cluster the CNAME alone', async t => {
  t.deepEqual(await told(resolver(), 'outside.demo'), ['CNAME db.example.test'])
})

test('ExternalName in a circle ends', async t => {
  const answers = await told(resolver(), 'round.demo')
  t.true(answers.length < 20)
})

test('what the watch cannot know is asked from the cluster: pods, endpoints of a ClusterIP, other trees, apex NS', async t => {
  const dns = new ClusterDns({
    '10-244-1-5.demo.pod.cluster.local A': [
      { type: 'A', name: '10-244-1-5.demo.pod.cluster.local', ttl: 30, data: '10.244.1.5' }
    ]
  })
  const to = resolver({ cluster: dns.answer })
  t.deepEqual(await told(to, '10-244-1-5.demo.pod.cluster.local'), ['A 10.244.1.5'])
  t.deepEqual(await told(to, '10-244-1-5.demo.pod'), ['A 10.244.1.5'])
  await told(to, '10-244-1-5.nginx.demo.svc.cluster.local')
  await told(to, 'x.consul.cluster.local')
  for (const type of ['NS', 'SOA', 'TXT']) await told(to, 'cluster.local', type)
  await told(to, 'dns-version.cluster.local')
  t.deepEqual(dns.asked, [
    '10-244-1-5.demo.pod.cluster.local A',
    '10-244-1-5.demo.pod.cluster.local A',
    '10-244-1-5.nginx.demo.svc.cluster.local A',
    'x.consul.cluster.local A',
    'cluster.local NS',
    'cluster.local SOA',
    'cluster.local TXT',
    'dns-version.cluster.local A'
  ])
})

test('what comes from the cluster and is no answer is not handed on', async t => {
  for (const bytes of [question('x.consul.cluster.local'), new Uint8Array(0), new Uint8Array(12)]) {
    const answer = await resolver({ cluster: async () => bytes }).answer(question('x.consul.cluster.local'), 'udp')
    t.is(rcodeOf(answer!), RCODE.SERVFAIL)
    t.is(answer![2]! & 0x80, 0x80)
  }
})

test('a short name that the cluster answers has the short name as owner', async t => {
  const full = 'nginx.other.svc.cluster.local'
  const dns = new ClusterDns({ [`${full} A`]: [{ type: 'A', name: full, ttl: 30, data: '10.96.7.7' }] })
  const to = resolver({ cluster: dns.answer, names: table(undefined, { complete: false }) })
  const { answers = [] } = await ask(to, 'Nginx.other.svc')
  t.deepEqual(
    answers.map(({ name }) => name),
    ['Nginx.other.svc']
  )
})

test('with rights in one namespace: its names from the watch, all others from the cluster', async t => {
  const dns = new ClusterDns()
  const to = resolver({ cluster: dns.answer, names: table(undefined, { complete: false }) })
  t.deepEqual(await told(to, 'nginx.demo.svc.cluster.local'), ['A 10.96.0.7'])
  t.deepEqual(dns.asked, [])
  // The first may be a headless service: where its endpoints may not be watched it is not known here.
  const others = ['none.demo.svc.cluster.local', 'kubernetes.default.svc.cluster.local', 'other.svc.cluster.local']
  for (const name of others) await told(to, name)
  t.deepEqual(
    dns.asked,
    others.map(name => `${name} A`)
  )
})

test('PTR: of a known address from the watch, of another cluster address from the cluster', async t => {
  const dns = new ClusterDns()
  const reverse = (address: string) => (address === '10.96.0.7' ? [{ namespace: 'demo', service: 'nginx' }] : [])
  const to = resolver({ cluster: dns.answer, names: table(undefined, { reverse }) })
  t.deepEqual(await told(to, '7.0.96.10.in-addr.arpa', 'PTR'), ['PTR nginx.demo.svc.cluster.local'])
  t.deepEqual(dns.asked, [])
  await told(to, '8.0.96.10.in-addr.arpa', 'PTR')
  const six = `${[...`8${'0'.repeat(19)}6900010000df`].join('.')}.ip6.arpa` // fd00:10:96::8
  await told(to, six, 'PTR')
  t.deepEqual(dns.asked, ['8.0.96.10.in-addr.arpa PTR', `${six} PTR`])
})

test('reverse lookups of foreign addresses, wpad and public names never reach the cluster', async t => {
  const dns = new ClusterDns()
  const to = resolver({ cluster: dns.answer })
  for (const name of [
    '1.2.0.192.in-addr.arpa',
    '96.10.in-addr.arpa',
    'wpad',
    'wpad.corp.test',
    'www.example.test',
    'local',
    'svc',
    '.'
  ]) {
    t.deepEqual(await told(to, name, 'A'), ['SERVFAIL'], name) // there is no upstream here
  }
  t.deepEqual(dns.asked, [])
})

test('every address in an answer is told', async t => {
  const learned = new Set<string>()
  const to = resolver({ learned: address => learned.add(address) })
  await told(to, 'web.demo')
  await told(to, 'dual.demo', 'AAAA')
  await told(to, '_http._tcp.nginx', 'SRV')
  t.deepEqual([...learned], ['10.244.1.5', '10.244.1.6', '10.244.2.7', 'fd00:10:96::8', '10.96.0.7'])
})

test('UDP: what does not fit is truncated, EDNS makes it larger, TCP has all of it', async t => {
  const to = resolver()
  const plain = await to.answer(question('big.demo'), 'udp')
  t.true(plain!.length <= 512)
  t.true(decode(Buffer.from(plain!)).flag_tc)
  const fits = await to.answer(question('web.demo', 'A', { additionals: [EDNS] }), 'udp')
  const { additionals = [], flag_tc, answers = [] } = decode(Buffer.from(fits!))
  t.false(flag_tc)
  t.is(answers.length, 3)
  t.deepEqual(
    additionals.map(({ type }) => type),
    ['OPT']
  )
  const whole = await ask(to, 'big.demo', 'A', 'tcp')
  t.is(whole.answers?.length, 200)
  t.is(whole.answers?.[199]?.name, 'big.demo')
})

test('names in answers are compressed: 25 addresses fit into a plain UDP answer', async t => {
  const endpoints = Array.from({ length: 25 }, (_, i) => ({ address: `10.244.9.${i}`, hostname: '', ports: [] }))
  const name = 'a-service-with-a-long-name'
  const of = {
    namespace: 'demo',
    name,
    kind: 'Headless' as const,
    addresses: [],
    ports: [],
    endpoints,
    externalName: ''
  }
  const to = resolver({ names: table([of]) })
  const bytes = await to.answer(question(`${name}.demo.svc.cluster.local`), 'udp')
  const packet = decode(Buffer.from(bytes!))
  t.false(packet.flag_tc)
  t.is(show(packet).length, 25)
})

test('EDNS of a version that does not exist is told so', async t => {
  const bytes = await resolver().answer(
    question('nginx', 'A', { additionals: [{ ...EDNS, ednsVersion: 1 } as typeof EDNS] }),
    'udp'
  )
  const { additionals = [] } = decode(Buffer.from(bytes!))
  t.like(additionals[0], { extendedRcode: 1 }) // 16 = 1 << 4 | 0
})

test('a class other than IN is refused for cluster names', async t => {
  const bytes = await resolver().answer(
    question('nginx', 'A', { questions: [{ name: 'nginx', type: 'A', class: 'CH' }] }),
    'udp'
  )
  t.deepEqual(show(decode(Buffer.from(bytes!))), ['REFUSED'])
})
