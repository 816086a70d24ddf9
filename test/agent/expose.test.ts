// The agent as a process that listens for others: what comes to its ports reaches the laptop, or the originals when that is not there.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { type ExposedPort, Inbound, type InboundCall } from '../../lib/session/traffic-in/inbound.ts'
import type { ExposeConfig, ExposePort } from '../../lib/tunnel/expose.ts'
import { startAgent, tunnelTo } from '../_support/agent.ts'
import { bytesOf, expected, hashOf, pour } from '../compliance/duplex.ts'

const LAPTOP = '127.0.0.1'
const ORIGINALS = '127.0.0.2'
/** What a laptop gets to answer where a test says nothing else: longer than a busy machine needs. */
const PATIENCE_SECONDS = 60

/** A port that is free now, on every address, and below those that the kernel gives to clients, so that it stays free. */
async function freePort(network: 'tcp' | 'udp' = 'tcp'): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000)
    const server = network === 'tcp' ? createServer().listen(port) : createSocket('udp6').bind(port)
    const free = await once(server, 'listening').then(
      () => true,
      () => false
    )
    if (!free) continue
    await new Promise<void>(resolve => server.close(() => resolve()))
    return port
  }
}

/** A program at `address`; the port it was given. */
async function serve(t: ExecutionContext, address: string, onSocket: (socket: Socket) => unknown): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, address)
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Says who it is, then what it has heard, after the caller's FIN. */
const telling = (who: string) => async (socket: Socket) => {
  socket.end(`${who}: ${await bytesOf(socket)}`)
}

interface Ground {
  call(port: number, host?: string): Promise<Socket>
  /** Begin a session which serves `ports`. */
  join(ports: readonly ExposedPort[]): Promise<{ carrier: Duplex; close(): Promise<void> }>
  calls: InboundCall[]
  agent: Awaited<ReturnType<typeof startAgent>>
}

async function ground(
  t: ExecutionContext,
  ports: ExposePort[],
  rest: Partial<ExposeConfig> = {},
  env: Record<string, string> = {}
): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'kt-expose-'))
  const file = join(folder, 'expose.json')
  writeFileSync(
    file,
    JSON.stringify({ originals: ORIGINALS, ports, graceSeconds: PATIENCE_SECONDS, ...rest } satisfies ExposeConfig)
  )
  const agent = await startAgent({ KT_EXPOSE: file, ...env })
  const calls: InboundCall[] = []
  t.teardown(async () => {
    agent.child.kill('SIGKILL') // its farewell takes a second, which is tested once
    await agent.stop()
    rmSync(folder, { recursive: true })
  })
  return {
    agent,
    calls,
    async call(port, host = LAPTOP) {
      const socket = connect({ port, host, allowHalfOpen: true })
      socket.on('error', () => {})
      await once(socket, 'connect')
      return socket
    },
    async join(exposed) {
      const inbound = new Inbound({ ports: exposed, onCall: call => calls.push(call) })
      const { session, carrier, tunnel } = await tunnelTo(agent, inbound.onStream)
      t.teardown(() => session.close())
      await tunnel.facts() // the agent has made the session its own
      return { carrier, close: () => session.close() }
    }
  }
}

const toLaptop = (port: number, original: number, fallback = false): ExposePort => ({
  port,
  network: 'tcp',
  to: 'laptop',
  original,
  fallback
})
const local = (port: number, localPort: number): ExposedPort => ({ network: 'tcp', port, hosts: [LAPTOP], localPort })

async function ask(socket: Socket, text: string): Promise<string> {
  socket.end(text)
  return String(await bytesOf(socket))
}

/** The same, or why there is no connection. */
function answerOrCode(g: Ground, port: number, text: string): Promise<string> {
  return g.call(port).then(
    socket => ask(socket, text),
    (error: NodeJS.ErrnoException) => error.code ?? ''
  )
}

function resetOf(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    socket.resume()
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('close', () => resolve('closed'))
  })
}

/** What `look` says once it is `wanted`, or after 10 s. */
async function becomes(wanted: string, look: () => Promise<string>): Promise<string> {
  const deadline = performance.now() + 10_000
  let seen = await look()
  while (seen !== wanted && performance.now() < deadline) {
    await sleep(20)
    seen = await look()
  }
  return seen
}

test('a caller reaches the local program, by both families, and is named', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, 1)])
  await g.join([local(port, await serve(t, LAPTOP, telling('laptop')))])
  const caller = await g.call(port)
  const { localPort } = caller
  t.is(await ask(caller, 'hello'), 'laptop: hello')
  t.is(await ask(await g.call(port, '::1'), 'six'), 'laptop: six')
  t.like(g.calls[0], { network: 'tcp', port, source: LAPTOP, sourcePort: localPort, verdict: 'opened' })
  t.is(g.calls[1]!.source, '::1')
})

test('20 MB each way at once, exact', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, 1)])
  await g.join([local(port, await serve(t, LAPTOP, socket => socket.pipe(socket)))])
  const caller = await g.call(port)
  const [hash] = await Promise.all([hashOf(caller), pour(caller, 20_000_000, 3)])
  t.is(hash, expected(20_000_000, 3))
})

test('500 callers at once', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, 1)])
  await g.join([local(port, await serve(t, LAPTOP, telling('laptop')))])
  const answers = await Promise.all(Array.from({ length: 500 }, async (_, i) => ask(await g.call(port), String(i))))
  t.true(answers.every((answer, i) => answer === `laptop: ${i}`))
})

test('half-close: a program that ends first still hears the caller; and the reset of one is the reset of the other', async t => {
  const [port, other] = [await freePort(), await freePort()]
  const g = await ground(t, [toLaptop(port, 1), toLaptop(other, 1)])
  const heard = Promise.withResolvers<string>()
  const reset = Promise.withResolvers<string>()
  const first = await serve(t, LAPTOP, socket => {
    socket.end('greeting')
    void bytesOf(socket).then(bytes => heard.resolve(String(bytes)))
  })
  const second = await serve(t, LAPTOP, socket => {
    socket.on('error', (error: NodeJS.ErrnoException) => reset.resolve(error.code ?? ''))
    socket.on('data', bytes => (String(bytes) === 'die' ? socket.resetAndDestroy() : undefined))
  })
  await g.join([local(port, first), local(other, second)])
  const caller = await g.call(port)
  t.is(String(await bytesOf(caller)), 'greeting')
  caller.end('late')
  t.is(await heard.promise, 'late')
  const victim = await g.call(other)
  victim.write('die')
  t.is(await resetOf(victim), 'ECONNRESET')
  const killer = await g.call(other)
  killer.write('live')
  await sleep(100)
  killer.resetAndDestroy()
  t.is(await reset.promise, 'ECONNRESET')
})

test('without a session the originals serve; with one the laptop; and again the originals after it', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, await serve(t, ORIGINALS, telling('original')))])
  t.is(await ask(await g.call(port), '1'), 'original: 1')
  const session = await g.join([local(port, await serve(t, LAPTOP, telling('laptop')))])
  t.is(await ask(await g.call(port), '2'), 'laptop: 2')
  await session.close()
  t.is(await ask(await g.call(port), '3'), 'original: 3')
})

test('a port that is not exposed goes to the originals although there is a session', async t => {
  const port = await freePort()
  const original = await serve(t, ORIGINALS, telling('original'))
  const g = await ground(t, [{ port, network: 'tcp', to: 'originals', original, fallback: false }])
  await g.join([local(port, await serve(t, LAPTOP, telling('laptop')))])
  t.is(await ask(await g.call(port), 'x'), 'original: x')
  t.deepEqual(g.calls, [])
})

test('a laptop that has not exposed the port serves nothing: the originals do', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, await serve(t, ORIGINALS, telling('original')))])
  await g.join([local(port + 1, await serve(t, LAPTOP, telling('laptop')))])
  t.is(await ask(await g.call(port), 'x'), 'original: x')
  t.is(g.calls[0]!.verdict, 'denied')
})

test('a local program that has stopped: one caller is RST, the next are refused until it listens again; what is open stays', async t => {
  const port = await freePort()
  const localPort = await freePort()
  const g = await ground(t, [toLaptop(port, await serve(t, ORIGINALS, telling('original')))])
  const program = createServer({ allowHalfOpen: true }, telling('laptop')).listen(localPort, LAPTOP)
  await once(program, 'listening')
  await g.join([local(port, localPort)])
  const open = await g.call(port)
  open.write('still ')
  t.is(await ask(await g.call(port), '1'), 'laptop: 1')
  program.close()
  t.is(await resetOf(connect({ port, host: LAPTOP })), 'ECONNRESET')
  t.is(await becomes('ECONNREFUSED', () => resetOf(connect({ port, host: LAPTOP }))), 'ECONNREFUSED')
  const again = createServer({ allowHalfOpen: true }, telling('again')).listen(localPort, LAPTOP)
  t.teardown(() => again.close())
  t.is(await becomes('again: 2', () => answerOrCode(g, port, '2')), 'again: 2')
  t.is(await ask(open, 'here'), 'laptop: still here')
})

test('a local program that does not listen yet is a refusal; the session’s end gives the port to the originals', async t => {
  const [port, closed] = [await freePort(), await freePort()]
  const g = await ground(t, [toLaptop(port, await serve(t, ORIGINALS, telling('original')))])
  const session = await g.join([{ ...local(port, closed), listening: false }])
  t.is(await becomes('ECONNREFUSED', () => resetOf(connect({ port, host: LAPTOP }))), 'ECONNREFUSED')
  await session.close()
  t.is(await becomes('original: x', () => answerOrCode(g, port, 'x')), 'original: x')
})

test('what the local program refuses goes to the originals with fallback, all of it', async t => {
  const [port, closed] = [await freePort(), await freePort()]
  const g = await ground(t, [toLaptop(port, await serve(t, ORIGINALS, telling('original')), true)])
  await g.join([{ ...local(port, closed), listening: false }])
  for (const text of ['1', '2']) t.is(await ask(await g.call(port), text), `original: ${text}`)
  t.deepEqual(
    g.calls.map(call => call.verdict),
    ['refused', 'refused']
  )
})

test('a request that the lost laptop has not answered is answered by the originals, byte by byte', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, await serve(t, ORIGINALS, telling('original')))])
  const asked = Promise.withResolvers<void>()
  const silent = await serve(t, LAPTOP, socket => socket.on('data', () => asked.resolve()))
  const { carrier } = await g.join([local(port, silent)])
  const caller = await g.call(port)
  const text = 'request '.repeat(2_000)
  caller.write(text)
  await asked.promise
  carrier.destroy() // as SIGKILL of the laptop's kt does
  t.is(await ask(caller, 'end'), `original: ${text}end`)
})

test('what was answered in part, or is too long to be said again, is RST when the lost laptop does not come back', async t => {
  const port = await freePort()
  const original = await serve(t, ORIGINALS, telling('original'))
  const g = await ground(t, [toLaptop(port, original)], {}, { KT_ORPHAN_SECONDS: '2' })
  let heard = 0
  const program = await serve(t, LAPTOP, socket =>
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.length
      if (bytes[0] === 0x61) socket.write('part')
    })
  )
  const { carrier } = await g.join([local(port, program)])
  const [answered, long] = [await g.call(port), await g.call(port)]
  answered.write('a')
  await once(answered, 'data')
  long.write(Buffer.alloc(200_000, 0x62))
  while (heard < 200_001) await sleep(10)
  carrier.destroy()
  t.deepEqual(await Promise.all([resetOf(answered), resetOf(long)]), ['ECONNRESET', 'ECONNRESET'])
})

test('a laptop that says nothing loses the caller after the grace, and the next ones at once, until something comes', async t => {
  const port = await freePort()
  const original = await serve(t, ORIGINALS, telling('original'))
  const graceMs = 2_000
  const g = await ground(t, [toLaptop(port, original)], { graceSeconds: graceMs / 1_000 })
  const { carrier } = await g.join([local(port, await serve(t, LAPTOP, telling('laptop')))])
  carrier.pause() // the laptop hears nothing, so it says nothing but a PING every 5 s
  const pausing = setInterval(() => carrier.pause(), 1)
  const waited: number[] = []
  for (let i = 0; i < 4; i++) {
    const began = performance.now()
    t.is(await ask(await g.call(port), `${i}`), `original: ${i}`)
    waited.push(performance.now() - began)
  }
  t.true(waited[0]! > graceMs * 0.9)
  t.true(Math.min(...waited) < graceMs * 0.9, `the next ones did not wait: ${waited}`)
  clearInterval(pausing)
  carrier.resume()
  // A PING of either side, every 5 s, is what tells it at the latest.
  const deadline = performance.now() + 30_000
  let answer = ''
  while (answer !== 'laptop: third' && performance.now() < deadline) {
    answer = await ask(await g.call(port), 'third')
    await sleep(100)
  }
  t.is(answer, 'laptop: third')
})

test('without originals and without a laptop a caller is refused, and served once there is one', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, 1)], { originals: '' })
  t.is(await resetOf(connect({ port, host: LAPTOP })), 'ECONNREFUSED')
  const session = await g.join([local(port, await serve(t, LAPTOP, telling('laptop')))])
  t.is(await ask(await g.call(port), 'x'), 'laptop: x')
  await session.close()
  t.is(await becomes('ECONNREFUSED', () => resetOf(connect({ port, host: LAPTOP }))), 'ECONNREFUSED')
})

test('SIGTERM: the originals serve new callers, those who are being served may finish', async t => {
  const port = await freePort()
  const g = await ground(t, [toLaptop(port, await serve(t, ORIGINALS, telling('original')))])
  await g.join([local(port, await serve(t, LAPTOP, telling('laptop')))])
  const caller = await g.call(port)
  caller.write('slow')
  t.is(await becomes('1', async () => String(g.calls.length)), '1')
  await sleep(100) // the answer to the agent's question
  const began = performance.now()
  const stopped = g.agent.stop()
  await sleep(200)
  t.is(await ask(await g.call(port), 'late'), 'original: late')
  t.is(await ask(caller, 'ly'), 'laptop: slowly')
  let lastMs = 0
  while ((await answerOrCode(g, port, 'later')) === 'original: later') lastMs = performance.now() - began
  t.true(lastMs > 1_500, 'a busy node hears as late as that')
  await stopped
  t.is(g.agent.child.exitCode, 0)
})

test('a configuration that is none is one line and exit code 1', async t => {
  for (const [text, said] of [
    ['{', 'the configuration must be JSON'],
    ['{"originals":"x","ports":[]}', 'ports must be 1 to 256 ports'],
    [
      '{"originals":"x","ports":[{"port":0,"network":"tcp","to":"laptop","original":1,"fallback":false}]}',
      'ports[0].port must be a port'
    ]
  ] as const) {
    const folder = mkdtempSync(join(tmpdir(), 'kt-expose-'))
    writeFileSync(join(folder, 'expose.json'), text)
    const error = await t.throwsAsync(startAgent({ KT_EXPOSE: join(folder, 'expose.json') }))
    t.is(error.message, `the agent ended with 1: ${said}`)
    rmSync(folder, { recursive: true })
  }
})

// ---- UDP -------------------------------------------------------------------------------------------------------------

/** Answers each datagram with its name in front of it. */
async function serveUdp(t: ExecutionContext, address: string, who: string): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => socket.send(`${who}: ${bytes}`, from.port, from.address))
  socket.bind(0, address)
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return socket.address().port
}

function udpCaller(t: ExecutionContext, port: number): (text: string) => Promise<string> {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  return async text => {
    socket.send(text, port, LAPTOP)
    const signal = AbortSignal.timeout(20_000)
    const [bytes] = (await once(socket, 'message', { signal })) as [Buffer]
    return String(bytes)
  }
}

test('UDP: flows to the laptop, to the originals without it, and back', async t => {
  const port = await freePort('udp')
  const original = await serveUdp(t, ORIGINALS, 'original')
  const g = await ground(t, [{ port, network: 'udp', to: 'laptop', original, fallback: false }])
  const [one, two] = [udpCaller(t, port), udpCaller(t, port)]
  t.is(await one('a'), 'original: a')
  const localPort = await serveUdp(t, LAPTOP, 'laptop')
  const session = await g.join([{ network: 'udp', port, hosts: [LAPTOP], localPort }])
  t.is(await one('b'), 'laptop: b', 'the flow has come back')
  t.deepEqual(await Promise.all([one('c'), two('d')]), ['laptop: c', 'laptop: d'])
  t.is(g.calls.length, 2)
  await session.close()
  t.is(await one('e'), 'original: e')
})

test('UDP: a lost laptop’s flows are the originals’, those with an unanswered datagram at once, the others with the next one', async t => {
  const port = await freePort('udp')
  const original = await serveUdp(t, ORIGINALS, 'original')
  const g = await ground(t, [{ port, network: 'udp', to: 'laptop', original, fallback: false }])
  const silent = createSocket('udp4')
  silent.on('message', (bytes, from) => (String(bytes) === 'a' ? silent.send('laptop: a', from.port, from.address) : 0))
  silent.bind(0, LAPTOP)
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const { carrier } = await g.join([{ network: 'udp', port, hosts: [LAPTOP], localPort: silent.address().port }])
  const [one, two] = [udpCaller(t, port), udpCaller(t, port)]
  t.is(await one('a'), 'laptop: a')
  const unanswered = two('b')
  while (g.calls.length < 2) await sleep(10)
  await sleep(100)
  carrier.destroy() // as SIGKILL of the laptop's kt does
  t.is(await unanswered, 'original: b')
  t.is(await one('c'), 'original: c')
})

test('UDP: what the local program refuses ends in silence, and goes to the originals with fallback', async t => {
  const [plain, fallback, closed] = [await freePort('udp'), await freePort('udp'), await freePort('udp')]
  const original = await serveUdp(t, ORIGINALS, 'original')
  const exposed = { network: 'udp', to: 'laptop', original } as const
  const g = await ground(t, [
    { ...exposed, port: plain, fallback: false },
    { ...exposed, port: fallback, fallback: true }
  ])
  await g.join([plain, fallback].map(port => ({ network: 'udp', port, hosts: [LAPTOP], localPort: closed })))
  t.is(await udpCaller(t, fallback)('x'), 'original: x')
  const socket = createSocket('udp4')
  let answers = 0
  socket.on('message', () => answers++)
  socket.send('x', plain, LAPTOP)
  await sleep(300)
  socket.close()
  t.is(answers, 0)
})
