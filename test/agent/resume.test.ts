// Who may go on with a session, and what thirty of them leave behind. The agent is a process of its own.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { MuxSession } from '../../lib/mux/session.ts'
import { type ClientHandshake, clientHandshake, type HandshakeError } from '../../lib/tunnel/handshake.ts'
import { Tunnel } from '../../lib/tunnel/tunnel.ts'
import { type AgentProcess, keyPair, nextNumber, startAgent } from '../_support/agent.ts'
import { bytesOf } from '../compliance/duplex.ts'

const OWN_ID = Buffer.alloc(16, 1)

const agent = await startAgent()
const servers: Server[] = []
const echo = await listen()

test.after.always(async () => {
  for (const server of servers) server.close()
  await agent.stop()
})

async function listen(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {}).pipe(socket)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

interface Client {
  session: MuxSession
  tunnel: Tunnel
  carrier: Duplex
}

async function begin(to: AgentProcess = agent): Promise<Client> {
  const options = { privateKey: to.privateKey, sessionId: OWN_ID, number: nextNumber }
  const { carrier } = await clientHandshake(await to.dial(), options)
  const session = new MuxSession(carrier, {
    role: 'client',
    onStream: stream => stream.reset('refused'),
    onDetached() {}
  })
  return { session, tunnel: new Tunnel(session), carrier }
}

/** What the agent says to somebody who wants to go on with a session. */
async function refusal(options: Partial<ClientHandshake>): Promise<string> {
  const carrier = await agent.dial()
  const handshake = clientHandshake(carrier, {
    privateKey: agent.privateKey,
    number: nextNumber,
    resume: () => ({ sessionId: OWN_ID, received: 0 }),
    ...options
  })
  return await handshake.then(
    () => 'welcome',
    ({ reason }: HandshakeError) => reason
  )
}

async function works({ tunnel }: Client): Promise<boolean> {
  const stream = await tunnel.dial('127.0.0.1', echo)
  stream.end('still mine')
  return String(await bytesOf(stream)) === 'still mine'
}

test.serial('nobody names the session of another: not without its key, not by a wrong id, not late', async t => {
  const owner = await begin()
  t.is(await refusal({ privateKey: keyPair().privateKey }), 'wrong-key')
  t.is(await refusal({ resume: () => ({ sessionId: Buffer.alloc(16, 2), received: 0 }) }), 'gone')
  t.is(await refusal({ number: () => 1 }), 'late')
  t.true(owner.session.attached)
  t.true(await works(owner))
  await owner.session.close()
})

test.serial('a position that cannot be ends that session, and nothing else', async t => {
  const owner = await begin()
  const stream = await owner.tunnel.dial('127.0.0.1', echo)
  const { session } = owner
  const { carrier, resumed } = await clientHandshake(await agent.dial(), {
    privateKey: agent.privateKey,
    number: nextNumber,
    resume: () => ({ sessionId: OWN_ID, received: 2 ** 50 })
  })
  t.truthy(resumed)
  carrier.on('error', () => {}).resume()
  await once(carrier, 'close')
  t.is(await refusal({}), 'gone')
  stream.destroy()
  await session.close('lost')
  const next = await begin()
  t.true(await works(next))
  await next.session.close()
})

test.serial('rubbish instead of frames ends that session with a code, and the agent goes on', async t => {
  const options = { privateKey: agent.privateKey, number: nextNumber }
  const { carrier } = await clientHandshake(await agent.dial(), options)
  const said: Buffer[] = []
  carrier.on('data', (bytes: Buffer) => said.push(bytes)).on('error', () => {})
  carrier.write(Buffer.alloc(64, 0xff))
  await once(carrier, 'close')
  t.deepEqual(Buffer.concat(said).subarray(-12), Buffer.of(7, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1)) // GOAWAY protocol
  const next = await begin()
  t.true(await works(next))
  await next.session.close()
})

interface Used {
  descriptors: number
  resources: number
}

function used(): Used {
  const agentDescriptors = readdirSync(`/proc/${agent.child.pid}/fd`).length
  return {
    descriptors: readdirSync('/proc/self/fd').length + agentDescriptors,
    resources: process.getActiveResourcesInfo().length
  }
}

const residentMib = (): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${agent.child.pid}/status`, 'utf8'))?.[1]) / 1024

const linuxTest = process.platform === 'linux' ? test.serial : test.serial.skip
linuxTest('thirty sessions, each with a lost carrier: no descriptor, no timer, no byte is left', async t => {
  const cycle = async (): Promise<void> => {
    const client = await begin()
    const stream = await client.tunnel.dial('127.0.0.1', echo)
    stream.write(Buffer.alloc(200_000, 7))
    client.carrier.destroy()
    while (client.session.attached) await sleep(1)
    const { carrier, resumed } = await clientHandshake(await agent.dial(), {
      privateKey: agent.privateKey,
      number: nextNumber,
      resume: () => ({ sessionId: OWN_ID, received: client.session.receivedBytes })
    })
    if (!client.session.resume(carrier, resumed!)) throw new Error('not resumed')
    stream.end()
    if ((await bytesOf(stream)).length !== 200_000) throw new Error('bytes are missing')
    if (client.session.stats.streams + client.session.stats.promisedBytes > 0) throw new Error('a stream is left')
    await client.session.close()
  }
  for (let i = 0; i < 5; i++) await cycle()
  await sleep(200)
  const before = used()
  const memory = residentMib()
  for (let i = 0; i < 30; i++) await cycle()
  let after = used()
  for (let i = 0; i < 40 && (after.descriptors > before.descriptors || after.resources > before.resources); i++) {
    await sleep(50)
    after = used()
  }
  t.true(after.descriptors <= before.descriptors, JSON.stringify({ before, after }))
  t.true(after.resources <= before.resources, JSON.stringify({ before, after }))
  t.true(residentMib() - memory < 20, `${residentMib() - memory} MiB`)
})
