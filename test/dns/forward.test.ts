// All names but the cluster's: to the resolvers that were there before, and their answers back unchanged.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { decode, encode } from 'dns-packet'
import { Forwarder } from '../../lib/dns/forward.ts'
import { RCODE, rcodeOf } from '../../lib/dns/message.ts'
import { Resolver } from '../../lib/dns/server.ts'
import { ask, EDNS, question, table, told } from './_table.ts'
import { address, type Behaviour, refuse, type Upstream, upstream } from './_upstream.ts'

const NEVER = (): Promise<never> => Promise.reject(new Error('the cluster must not be asked here'))

async function start(t: ExecutionContext, behaviour: Behaviour): Promise<Upstream> {
  const one = await upstream(behaviour)
  t.teardown(() => one.close())
  return one
}

const resolver = (...upstreams: Upstream[]): Resolver =>
  new Resolver({ names: table(), cluster: NEVER, upstreams: upstreams.map(u => u.address) })

test('question and answer pass unchanged, byte by byte', async t => {
  const odd = encode({ type: 'response', id: 77, flags: 0x8583, questions: [{ name: 'Odd.Example.test', type: 'A' }] })
  const one = await start(t, () => odd)
  const asked = question('Odd.Example.test', 'A', { id: 77, additionals: [EDNS] })
  for (const transport of ['udp', 'tcp'] as const) {
    t.deepEqual(Buffer.from((await resolver(one).answer(asked, transport))!), odd)
  }
  t.deepEqual(one.asked, [asked, asked])
})

test('types that nobody knows pass too', async t => {
  const one = await start(t, refuse(0))
  const asked = question('www.example.test', 'UNKNOWN_65280')
  t.is(decode(Buffer.from((await resolver(one).answer(asked, 'udp'))!)).id, 4711)
  t.deepEqual(one.asked, [asked])
})

test('failover: an upstream that is not there costs nothing', async t => {
  const gone = await upstream(() => undefined)
  gone.close()
  const one = await start(t, address('192.0.2.1'))
  const began = performance.now()
  for (const transport of ['udp', 'tcp'] as const) {
    t.is((await ask(resolver(gone, one), 'www.example.test', 'A', transport)).answers?.length, 1)
  }
  t.true(performance.now() - began < 500)
})

test('failover: an upstream to which there is no way, as after a change of network, is passed over', async t => {
  const one = await start(t, address('192.0.2.1'))
  // A socket may not be connected there: it fails as one without a network does.
  const to = new Resolver({ names: table(), cluster: NEVER, upstreams: ['255.255.255.255', one.address] })
  for (const transport of ['udp', 'tcp'] as const) {
    t.is((await ask(to, 'www.example.test', 'A', transport)).answers?.length, 1)
  }
  const nowhere = new Resolver({ names: table(), cluster: NEVER, upstreams: ['255.255.255.255'] })
  t.is(rcodeOf((await nowhere.answer(question('www.example.test', 'A'), 'udp'))!), RCODE.SERVFAIL)
})

test('failover: a silent upstream costs its time once, then it comes last', async t => {
  const silent = await start(t, () => undefined)
  const one = await start(t, address('192.0.2.1'))
  const to = resolver(silent, one)
  const time = async (): Promise<number> => {
    const began = performance.now()
    t.is((await ask(to, 'www.example.test', 'A', 'udp')).answers?.length, 1)
    return performance.now() - began
  }
  const first = await time()
  t.true(first > 700 && first < 1500, `${first} ms`)
  t.true((await time()) < 400)
})

test('failover: SERVFAIL, NOTIMP and REFUSED go to the next; NXDOMAIN is an answer', async t => {
  const one = await start(t, address('192.0.2.1'))
  for (const rcode of [2, 4, 5]) {
    t.deepEqual(await told(resolver(await start(t, refuse(rcode)), one), 'www.example.test'), ['A 192.0.2.1'])
  }
  t.deepEqual(await told(resolver(await start(t, refuse(3)), one), 'www.example.test'), ['NXDOMAIN'])
})

test('all refuse: the first refusal is the answer', async t => {
  const to = resolver(await start(t, refuse(5)), await start(t, refuse(2)))
  t.deepEqual(await told(to, 'www.example.test'), ['REFUSED'])
})

test('nobody answers: SERVFAIL in less than 5 s', async t => {
  const silent = await start(t, () => undefined)
  const began = performance.now()
  t.deepEqual(await told(resolver(silent), 'www.example.test', 'A', 'udp'), ['SERVFAIL'])
  const ms = performance.now() - began
  t.true(ms > 3500 && ms < 5000, `${ms} ms`)
  t.true(silent.asked.length >= 2, 'it was asked again')
})

test('an answer with another id, another question or no QR is not believed', async t => {
  const one = await start(t, message => {
    const good = Buffer.from(address('192.0.2.1')(message))
    const otherId = Buffer.from(good)
    otherId.writeUInt16BE(1)
    const other = address('192.0.2.66')(question('evil.example.test', 'A', { id: 4711 }))
    const noResponse = Buffer.from(message)
    return [otherId, other, noResponse, Buffer.alloc(3), good]
  })
  for (const transport of ['udp', 'tcp'] as const) {
    t.is((await ask(resolver(one), 'www.example.test', 'A', transport)).answers?.length, 1)
  }
})

test('a truncated answer goes to the asker, who comes again over TCP and gets all of it', async t => {
  const one = await start(t, (message, transport) => {
    const { id = 0, questions = [] } = decode(message)
    if (transport === 'udp') return encode({ type: 'response', id, flags: 0x200, questions })
    const answers = Array.from({ length: 300 }, (_, i) => ({
      type: 'A' as const,
      name: questions[0]?.name ?? '',
      data: `192.0.2.${i % 256}`
    }))
    return encode({ type: 'response', id, questions, answers })
  })
  t.true((await ask(resolver(one), 'big.example.test', 'A', 'udp')).flag_tc)
  t.is((await ask(resolver(one), 'big.example.test', 'A', 'tcp')).answers?.length, 300)
})

test('200 equal questions at once are one question to the upstream, each with its own id', async t => {
  const slow = await start(t, address('192.0.2.1'))
  const forwarder = new Forwarder([slow.address])
  const all = Array.from({ length: 200 }, async (_, id) => {
    const bytes = await forwarder.ask(question('www.example.test', 'A', { id }), 'udp')
    return decode(Buffer.from(bytes)).id
  })
  t.deepEqual(
    await Promise.all(all),
    Array.from({ length: 200 }, (_, id) => id)
  )
  const asked = slow.asked.filter(message => decode(message).questions?.[0]?.type === 'A')
  t.is(asked.length, 1)
})

test('an upstream that asks us is found out and refused at once', async t => {
  const to = resolver()
  let id = 0
  // Like a dnsmasq that has read our address in resolv.conf: it asks on with an id of its own.
  const round = await start(t, async message => {
    const own = Buffer.from(message)
    own.writeUInt16BE(++id)
    const answer = await to.answer(own, 'udp')
    if (answer === undefined) return undefined
    return Buffer.concat([message.subarray(0, 2), answer.subarray(2)])
  })
  to.upstreams = [round.address]
  const began = performance.now()
  t.deepEqual(await told(to, 'www.example.test', 'A', 'udp'), ['SERVFAIL'])
  t.true(performance.now() - began < 1000)
  t.true(round.asked.length < 10, `${round.asked.length}`)
  const before = round.asked.length
  t.deepEqual(await told(to, 'other.example.test', 'A', 'udp'), ['SERVFAIL'])
  t.is(round.asked.length, before, 'it is left out now')
  t.deepEqual(await told(to, 'nginx.demo'), ['A 10.96.0.7'])
})

test('a real CoreDNS as upstream, over UDP and TCP', async t => {
  const coredns = join(process.env.KT_CLUSTER_CACHE ?? join(homedir(), '.cache/kt-cluster'), 'bin/coredns')
  if (!existsSync(coredns)) {
    t.log(`skipped: ${coredns} is not there (npm run cluster -- build makes it)`)
    t.pass()
    return
  }
  const directory = mkdtempSync(join(tmpdir(), 'kt-coredns-'))
  const port = 20_000 + (process.pid % 20_000)
  writeFileSync(
    join(directory, 'Corefile'),
    `.:${port} {\n bind 127.0.0.1\n hosts {\n 192.0.2.11 www.example.test\n }\n}\n`
  )
  const child = spawn(coredns, ['-conf', join(directory, 'Corefile'), '-quiet'], { stdio: 'ignore' })
  t.teardown(() => {
    child.kill()
    rmSync(directory, { recursive: true })
  })
  const to = new Resolver({ names: table(), cluster: NEVER, upstreams: [`127.0.0.1:${port}`] })
  let answers = ['']
  for (let i = 0; i < 50 && answers[0] !== 'A 192.0.2.11'; i++) {
    await sleep(100)
    answers = await told(to, 'www.example.test')
  }
  t.deepEqual(answers, ['A 192.0.2.11'])
  t.is((await ask(to, 'WWW.example.test', 'A', 'udp')).answers?.length, 1)
  t.deepEqual(await told(to, 'no.example.test'), ['SERVFAIL']) // no forwarder behind it
})
