// The laptop's end of what comes in, with a mux session in memory in the agent's place.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { MuxSession } from '../../../lib/mux/session.ts'
import type { MuxStream } from '../../../lib/mux/stream.ts'
import { Inbound, type InboundCall, type InboundOptions } from '../../../lib/session/traffic-in/inbound.ts'
import { LOCALHOST } from '../../../lib/session/traffic-in/local-program.ts'
import { DatagramDecoder, sendDatagram } from '../../../lib/tunnel/datagrams.ts'
import { type Accepted, decodeVerdict, encodeRequest, type Verdict } from '../../../lib/tunnel/request.ts'
import { plainPair } from '../../_support/carriers.ts'
import { bytesOf } from '../../compliance/duplex.ts'

const CALL: Accepted = {
  kind: 'accepted',
  network: 'tcp',
  port: 80,
  source: '10.244.1.9',
  sourcePort: 40_000,
  destination: '10.244.2.7'
}

interface Ground {
  agent: MuxSession
  calls: InboundCall[]
  inbound: Inbound
}

function ground(t: ExecutionContext, options: InboundOptions): Ground {
  const calls: InboundCall[] = []
  const inbound = new Inbound({ ...options, onCall: call => calls.push(call) })
  const [a, b] = plainPair()
  const laptop = new MuxSession(a, { role: 'client', onStream: inbound.onStream })
  const agent = new MuxSession(b, { role: 'agent', onStream: stream => stream.reset('refused') })
  t.teardown(async () => {
    await agent.close()
    await laptop.closed
  })
  return { agent, calls, inbound }
}

async function serve(t: ExecutionContext, host: string, onSocket: (socket: Socket) => unknown): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, socket => void onSocket(socket)).listen(0, host)
  t.teardown(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** The verdict, and what came behind it until FIN. */
async function answerOf(stream: MuxStream): Promise<{ verdict: Verdict; text: string }> {
  const bytes = await bytesOf(stream)
  return { verdict: decodeVerdict(bytes[0]!), text: bytes.toString('latin1', 1) }
}

const echo = async (socket: Socket): Promise<void> => {
  socket.end(Buffer.concat([Buffer.from('heard '), await bytesOf(socket)]))
}

test('a call becomes a connection to the local program; what it said before the verdict is not lost', async t => {
  const { agent, calls, inbound } = ground(t, {
    ports: [{ network: 'tcp', port: 80, hosts: LOCALHOST, localPort: await serve(t, '127.0.0.1', echo) }]
  })
  const stream = agent.open(encodeRequest(CALL))
  stream.end('early')
  t.deepEqual(await answerOf(stream), { verdict: 'opened', text: 'heard early' })
  t.like(calls[0], { source: '10.244.1.9', sourcePort: 40_000, port: 80, verdict: 'opened' })
  t.is(inbound.opened, 1)
})

test('a program that listens on ::1 only is found', async t => {
  const { agent, calls } = ground(t, {
    ports: [{ network: 'tcp', port: 80, hosts: LOCALHOST, localPort: await serve(t, '::1', echo) }]
  })
  const stream = agent.open(encodeRequest(CALL))
  stream.end('6')
  t.deepEqual(await answerOf(stream), { verdict: 'opened', text: 'heard 6' })
  t.regex(calls[0]!.to, /^\[::1\]:\d+$/)
})

test('nothing but exposed ports: another port, another network, any other request is denied', async t => {
  const localPort = await serve(t, '127.0.0.1', () => t.fail('the local program was reached'))
  const { agent, calls } = ground(t, { ports: [{ network: 'tcp', port: 80, hosts: LOCALHOST, localPort }] })
  for (const request of [
    encodeRequest({ ...CALL, port: localPort }),
    encodeRequest({ ...CALL, network: 'udp' }),
    encodeRequest({ ...CALL, source: '999.1.1.1' }),
    encodeRequest({ kind: 'dial', host: '127.0.0.1', port: localPort }),
    encodeRequest({ kind: 'datagrams', host: '127.0.0.1', port: localPort }),
    encodeRequest({ kind: 'facts' }),
    new Uint8Array(0)
  ]) {
    t.deepEqual(await answerOf(agent.open(request)), { verdict: 'denied', text: '' })
  }
  t.deepEqual(
    calls.map(call => call.verdict),
    ['denied', 'denied']
  )
})

test('whatever the agent asks for, nothing throws and nothing but the exposed port is dialled', async t => {
  const { agent } = ground(t, { ports: [] })
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), async bytes => {
      return (await answerOf(agent.open(bytes))).verdict === 'denied'
    }),
    { numRuns: 200 }
  )
  t.pass()
})

test('a program that does not listen is refused', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: localPort } = server.address() as AddressInfo
  await new Promise<void>(resolve => server.close(() => resolve()))
  const { agent, inbound } = ground(t, { ports: [{ network: 'tcp', port: 80, hosts: LOCALHOST, localPort }] })
  t.is((await answerOf(agent.open(encodeRequest(CALL)))).verdict, 'refused')
  t.is(inbound.refused, 1)
})

test('--proxyProtocol: the caller stands before the first byte', async t => {
  const { agent } = ground(t, {
    ports: [{ network: 'tcp', port: 80, hosts: LOCALHOST, localPort: await serve(t, '127.0.0.1', echo) }],
    proxyProtocol: true
  })
  const stream = agent.open(encodeRequest(CALL))
  stream.end('GET /')
  const { text } = await answerOf(stream)
  t.is(text, 'heard \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\xf4\x01\x09\x0a\xf4\x02\x07\x9c\x40\0\x50GET /')
})

test('the reset of the agent reaches the local program, and the other way', async t => {
  const met = Promise.withResolvers<Socket>()
  const localPort = await serve(t, '127.0.0.1', socket => met.resolve(socket))
  const { agent } = ground(t, { ports: [{ network: 'tcp', port: 80, hosts: LOCALHOST, localPort }] })
  const stream = agent.open(encodeRequest(CALL))
  const socket = await met.promise
  await once(stream, 'data')
  stream.reset('reset')
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNRESET')
})

test('UDP: one flow is one local socket, boundaries kept', async t => {
  const program = createSocket('udp4')
  const sources = new Set<number>()
  program.on('message', (bytes, from) => {
    sources.add(from.port)
    program.send(`${bytes.length}`, from.port, from.address)
  })
  program.bind(0, '127.0.0.1')
  await once(program, 'listening')
  t.teardown(() => program.close())
  const { agent, calls } = ground(t, {
    ports: [{ network: 'udp', port: 53, hosts: LOCALHOST, localPort: program.address().port }]
  })
  const stream = agent.open(encodeRequest({ ...CALL, network: 'udp', port: 53 }))
  const sizes = [5, 0, 60_000, 1]
  for (const size of sizes) sendDatagram(stream, Buffer.alloc(size))
  const received: string[] = []
  const done = Promise.withResolvers<void>()
  const decoder = new DatagramDecoder(bytes => {
    received.push(Buffer.from(bytes).toString())
    if (received.length === sizes.length) done.resolve()
  })
  let verdict: Verdict | undefined
  stream.on('data', (bytes: Uint8Array) => {
    if (verdict === undefined) verdict = decodeVerdict(bytes[0]!)
    else return decoder.push(bytes)
    return decoder.push(bytes.subarray(1))
  })
  await done.promise
  t.deepEqual(received, sizes.map(String))
  t.is(sources.size, 1)
  t.like(calls[0], { network: 'udp', verdict: 'opened' })
  stream.destroy()
})

test('UDP: nobody listens: the flow is reset as refused, after both families were asked', async t => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port: localPort } = socket.address()
  await new Promise<void>(resolve => socket.close(() => resolve()))
  const { agent } = ground(t, { ports: [{ network: 'udp', port: 53, hosts: LOCALHOST, localPort }] })
  const stream = agent.open(encodeRequest({ ...CALL, network: 'udp', port: 53 }))
  stream.resume()
  sendDatagram(stream, Buffer.from('anybody?'))
  const [error] = (await once(stream, 'error')) as [Error & { resetCode: string }]
  t.is(error.resetCode, 'refused')
})

test('an agent that asks is told whether the program listens, and of each change', async t => {
  const localPort = await serve(t, '127.0.0.1', echo)
  const changes: boolean[] = []
  const { agent } = ground(t, {
    ports: [{ network: 'tcp', port: 80, hosts: LOCALHOST, localPort, listening: false }],
    onListening: (_port, listening) => changes.push(listening)
  })
  const asked = agent.open(encodeRequest({ kind: 'listening', port: 80 }))
  const said: number[] = []
  asked.on('data', (bytes: Uint8Array) => said.push(...bytes))
  while (said.length < 3) await once(asked, 'data')
  t.deepEqual(said, [0, 0, 1], 'opened; nobody yet; found by looking')
  t.deepEqual(changes, [true])
  asked.destroy()
  t.is((await answerOf(agent.open(encodeRequest({ kind: 'listening', port: 81 })))).verdict, 'denied')
})
