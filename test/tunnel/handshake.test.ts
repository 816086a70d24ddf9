import type { Duplex } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { agentHandshake, clientHandshake, type HandshakeError } from '../../lib/tunnel/handshake.ts'
import { keyPair } from '../_support/agent.ts'
import { choppyPair, plainPair } from '../_support/carriers.ts'

const { publicKey, privateKey } = keyPair()
const instance = Buffer.alloc(16, 0xab)

function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'welcome',
    (error: HandshakeError) => error.reason
  )
}

test('both sides end up with a carrier that begins where the handshake ended', async t => {
  const [near, far] = choppyPair(() => 5)
  const [client, agent] = await Promise.all([
    clientHandshake(near, { privateKey, sessionId: Buffer.alloc(16, 1) }),
    agentHandshake(far, { publicKey, instance })
  ])
  t.is(client.instance, 'ab'.repeat(16))
  t.is(agent.sessionId, '01'.repeat(16))
  t.is(client.carrier, near)
  far.write('first frame')
  near.write('and the other way')
  const [a, b] = await Promise.all([first(near, 11), first(far, 17)])
  t.is(a, 'first frame')
  t.is(b, 'and the other way')
})

test('a session is resumed: each side tells what it has received, and the session is named', async t => {
  const [near, far] = choppyPair(() => 7)
  const received = 2 ** 40 + 5
  const [client, agent] = await Promise.all([
    clientHandshake(near, {
      privateKey,
      number: () => 8,
      resume: id => (id === 'ab'.repeat(16) ? { sessionId: Buffer.alloc(16, 3), received } : undefined)
    }),
    agentHandshake(far, {
      publicKey,
      instance,
      admit: ({ sessionId, number, resume }) =>
        sessionId === '03'.repeat(16) && number === 8 && resume === received ? 77 : 'gone'
    })
  ])
  t.is(client.resumed, 77)
  t.is(agent.resume, received)
})

test('a session that is not known, and a carrier that was overtaken, are told as such', async t => {
  for (const reason of ['gone', 'late'] as const) {
    const [near, far] = plainPair()
    const reasons = await Promise.all([
      reasonOf(clientHandshake(near, { privateKey, resume: () => ({ sessionId: Buffer.alloc(16), received: 5 }) })),
      reasonOf(agentHandshake(far, { publicKey, instance, admit: () => reason }))
    ])
    t.deepEqual(reasons, [reason, reason])
  }
})

test('bytes that come right behind the handshake are not lost', async t => {
  const [near, far] = plainPair()
  const agent = agentHandshake(far, { publicKey, instance }).then(({ carrier }) => carrier.write('already talking'))
  const { carrier } = await clientHandshake(near, { privateKey })
  await agent
  t.is(await first(carrier, 15), 'already talking')
})

test('a wrong key is told to both', async t => {
  const [near, far] = plainPair()
  const reasons = await Promise.all([
    reasonOf(clientHandshake(near, { privateKey: keyPair().privateKey })),
    reasonOf(agentHandshake(far, { publicKey, instance }))
  ])
  t.deepEqual(reasons, ['wrong-key', 'wrong-key'])
  t.true(near.destroyed)
})

test('what was recorded once is good for nothing again', async t => {
  const [near, far] = plainPair()
  const recorded: Buffer[] = []
  const write = near.write.bind(near) as (bytes: Buffer) => boolean
  near.write = ((bytes: Buffer) => {
    recorded.push(bytes)
    return write(bytes)
  }) as Duplex['write']
  await Promise.all([clientHandshake(near, { privateKey }), agentHandshake(far, { publicKey, instance })])
  const [thief, other] = plainPair()
  thief.resume()
  for (const bytes of recorded) thief.write(bytes)
  t.is(await reasonOf(agentHandshake(other, { publicKey, instance })), 'wrong-key')
})

test('somebody else answers: not-kt', async t => {
  const [near, far] = plainPair()
  far.resume()
  far.write('SSH-2.0-OpenSSH_9.9 and some more text, so that a whole hello has come\r\n')
  t.is(await reasonOf(clientHandshake(near, { privateKey })), 'not-kt')
})

test('another version: told as such to both', async t => {
  const [near, far] = plainPair()
  const hello = Buffer.alloc(64)
  hello.write('kt-agent')
  hello.writeUInt16BE(9, 8)
  far.write(hello)
  far.resume()
  t.is(await reasonOf(clientHandshake(near, { privateKey })), 'version')
  const [other, agent] = plainPair()
  const own = Buffer.alloc(64)
  own.write('ktclient')
  own.writeUInt16BE(9, 8)
  other.write(own)
  t.is(await reasonOf(agentHandshake(agent, { publicKey, instance })), 'version')
})

test('silence and a carrier that ends', async t => {
  const [near] = plainPair()
  t.is(await reasonOf(clientHandshake(near, { privateKey, timeoutMs: 30 })), 'timeout')
  t.true(near.destroyed)
  const [other, far] = plainPair()
  far.end('kt-')
  t.is(await reasonOf(clientHandshake(other, { privateKey })), 'closed')
  const [broken] = plainPair()
  const handshake = reasonOf(clientHandshake(broken, { privateKey }))
  broken.destroy(new Error('cable cut'))
  t.is(await handshake, 'closed')
})

test('whatever a stranger says, the agent says no', async t => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 136, maxLength: 200 }), fc.boolean(), async (bytes, polite) => {
      const [near, far] = plainPair()
      near.on('error', () => {}).resume()
      if (polite) {
        bytes.set(Buffer.from('ktclient'))
        bytes.set([0, 3], 8)
      }
      near.write(bytes)
      const reason = await reasonOf(agentHandshake(far, { publicKey, instance }))
      return reason === (polite ? 'wrong-key' : 'not-kt')
    }),
    { numRuns: 50 }
  )
  t.pass()
})

async function first(duplex: Duplex, length: number): Promise<string> {
  let text = ''
  for await (const bytes of duplex.iterator({ destroyOnReturn: false })) {
    text += String(bytes)
    if (text.length >= length) return text
  }
  return text
}
