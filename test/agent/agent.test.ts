// The agent as a process, from its bundle, reached over loopback: what it does for the laptop.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { encode } from 'dns-packet'
import type { MuxResetError } from '../../lib/mux/stream.ts'
import type { DatagramsEnd, TunnelError } from '../../lib/tunnel/tunnel.ts'
import { startAgent, tunnelTo } from '../_support/agent.ts'
import { bytesOf, expected, hashOf, pour } from '../compliance/duplex.ts'

const agent = await startAgent()
const { tunnel, session, instance } = await tunnelTo(agent)
const open: Server[] = []

test.after.always(async () => {
  await session.close()
  for (const server of open) server.close()
  await agent.stop()
})

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  open.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** tcpmux: nobody has listened there for decades, and no test is given it. */
const CLOSED_PORT = 1

test('facts', async t => {
  const facts = await tunnel.facts()
  t.is(facts.instance, instance)
  t.regex(facts.version, /^\d+\.\d+\.\d+/)
  t.is(facts.node, process.version)
  t.is(typeof facts.resolvConf, 'string')
})

test('dial: bytes both ways, half-close both ways', async t => {
  const port = await listen(socket => {
    void bytesOf(socket).then(question => socket.end(`you said ${question}`))
  })
  const stream = await tunnel.dial('127.0.0.1', port)
  stream.end('hello')
  t.is(String(await bytesOf(stream)), 'you said hello')
})

test('dial: a target that ends first can still be written to', async t => {
  const received = Promise.withResolvers<string>()
  const port = await listen(socket => {
    socket.end('greeting')
    void bytesOf(socket).then(bytes => received.resolve(String(bytes)))
  })
  const stream = await tunnel.dial('127.0.0.1', port)
  t.is(String(await bytesOf(stream)), 'greeting')
  await sleep(30)
  stream.end('late answer')
  t.is(await received.promise, 'late answer')
})

test('dial: 50 MB each way at once', async t => {
  const port = await listen(socket => socket.pipe(socket))
  const stream = await tunnel.dial('127.0.0.1', port)
  const [hash] = await Promise.all([hashOf(stream), pour(stream, 50_000_000, 5)])
  t.is(hash, expected(50_000_000, 5))
})

test('dial: a closed port is refused', async t => {
  const began = performance.now()
  const error = await t.throwsAsync<TunnelError>(tunnel.dial('127.0.0.1', CLOSED_PORT))
  t.is(error.reason, 'refused')
  t.true(performance.now() - began < 5_000)
})

test('dial: a name that does not exist is not found; port 0 and rubbish are denied', async t => {
  t.is((await t.throwsAsync<TunnelError>(tunnel.dial('no-such-name.invalid', 80))).reason, 'not-found')
  t.is((await t.throwsAsync<TunnelError>(tunnel.dial('127.0.0.1', 0))).reason, 'denied')
  const stream = session.open(Buffer.of(99, 1, 2, 3))
  t.deepEqual(await bytesOf(stream), Buffer.of(5))
})

test('dial: the reset of a target resets its stream, and only that', async t => {
  const port = await listen(socket => {
    socket.once('data', () => socket.resetAndDestroy())
  })
  const other = await tunnel.dial('127.0.0.1', await listen(socket => socket.pipe(socket)))
  const stream = await tunnel.dial('127.0.0.1', port)
  const failed = once(stream, 'error') as Promise<[MuxResetError]>
  stream.write('x')
  t.is((await failed)[0].resetCode, 'reset')
  other.end('still here')
  t.is(String(await bytesOf(other)), 'still here')
})

test('dial: destroying the stream resets the target', async t => {
  const failed = Promise.withResolvers<string>()
  const port = await listen(socket => {
    socket.on('data', () => {})
    socket.once('error', (error: NodeJS.ErrnoException) => failed.resolve(error.code ?? ''))
  })
  const stream = await tunnel.dial('127.0.0.1', port)
  stream.write('some')
  await sleep(20)
  stream.destroy()
  t.is(await failed.promise, 'ECONNRESET')
})

test('dial: an abandoned one frees its stream', async t => {
  const gone = new AbortController()
  const dialled = tunnel.dial('127.0.0.1', await listen(() => {}), { signal: gone.signal })
  gone.abort()
  t.is((await t.throwsAsync<TunnelError>(dialled)).reason, 'closed')
})

test('a thousand connections at once', async t => {
  const port = await listen(socket => socket.pipe(socket))
  const texts = await Promise.all(
    Array.from({ length: 1_000 }, async (_, i) => {
      const stream = await tunnel.dial('127.0.0.1', port)
      stream.end(`connection ${i}`)
      return String(await bytesOf(stream))
    })
  )
  t.true(texts.every((text, i) => text === `connection ${i}`))
})

test('downloads that nobody reads stop no other and cost the agent little', async t => {
  const own = await startAgent({ NODE_OPTIONS: '--max-semi-space-size=1' }) // as in the shadow pod
  const far = await tunnelTo(own)
  const port = await listen(socket => {
    const chunk = Buffer.alloc(65_536)
    const more = () => {
      while (socket.write(chunk));
    }
    socket.on('drain', more)
    more()
  })
  const echo = await listen(socket => socket.pipe(socket))
  const unread = await Promise.all(Array.from({ length: 50 }, () => far.tunnel.dial('127.0.0.1', port)))
  await sleep(500)
  const began = performance.now()
  const stream = await far.tunnel.dial('127.0.0.1', echo)
  stream.end('quick')
  t.is(String(await bytesOf(stream)), 'quick')
  t.true(performance.now() - began < 2_000)
  if (process.platform === 'linux') {
    const [, resident] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${own.child.pid}/status`, 'utf8'))!
    t.true(Number(resident) < 96 * 1_024, `${resident} kB`)
  }
  for (const one of unread) one.destroy()
  await far.session.close()
  await own.stop()
})

for (const [family, address] of [
  ['udp4', '127.0.0.1'],
  ['udp6', '::1']
] as const) {
  test(`datagrams: boundaries are kept, empty ones too (${family})`, async t => {
    const server = createSocket(family)
    server.on('message', (bytes, { port, address: from }) => server.send(bytes, port, from))
    server.bind(0, address)
    await once(server, 'listening')
    const received: number[] = []
    const done = Promise.withResolvers<void>()
    const sizes = [5, 0, 1_400, 60_000, 1]
    const flow = tunnel.datagrams(
      address,
      server.address().port,
      bytes => {
        received.push(bytes.length)
        if (received.length === sizes.length) done.resolve()
      },
      reason => done.reject(new Error(reason))
    )
    for (const size of sizes) {
      t.true(flow.send(Buffer.alloc(size)))
      await sleep(5)
    }
    await done.promise
    t.deepEqual(received, sizes)
    flow.close()
    server.close()
  })
}

test('datagrams: a closed port is told as refused', async t => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>(resolve => socket.close(() => resolve()))
  const reason = await new Promise<DatagramsEnd>(resolve => {
    tunnel.datagrams('127.0.0.1', port, () => {}, resolve).send(Buffer.from('anybody?'))
  })
  t.is(reason, 'refused')
})

test('datagrams: where there is no way is told at once', async t => {
  // A socket may not be connected there: it fails as one without a network does.
  const reason = await new Promise<DatagramsEnd>(resolve => {
    tunnel.datagrams('255.255.255.255', 9, () => {}, resolve)
  })
  t.is(reason, 'denied')
})

test('datagrams: more than fits is dropped, not queued', t => {
  const flow = tunnel.datagrams(
    '127.0.0.1',
    9,
    () => {},
    () => {}
  )
  const taken = Array.from({ length: 100 }, () => flow.send(Buffer.alloc(60_000)))
  t.true(taken.includes(false))
  t.false(flow.send(Buffer.alloc(65_508)))
  flow.close()
})

test('resolve: a message that is none is denied', async t => {
  t.is((await t.throwsAsync<TunnelError>(tunnel.resolve(Buffer.alloc(3)))).reason, 'denied')
  const question = encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'x.invalid' }] })
  t.is((await t.throwsAsync<TunnelError>(tunnel.resolve(Buffer.alloc(5_000, question)))).reason, 'denied')
})
