// From this computer, by the relay's door: datagrams that come before their socket is there, refusals, another address in place of the asked one.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { directWay } from '../../../lib/session/network/direct-way.ts'
import type { DatagramsEnd } from '../../../lib/tunnel/tunnel.ts'

/** RFC 5737: nobody. */
const ELSEWHERE = '192.0.2.1'
const way = directWay(address => (address === ELSEWHERE ? '127.0.0.1' : address))

async function echo(t: ExecutionContext): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return { socket, port: socket.address().port }
}

test('a connection, to the address that stands for the asked one', async t => {
  const server = createServer(socket => socket.end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const stream = await way.dial(ELSEWHERE, (server.address() as AddressInfo).port)
  t.is(await text(stream), 'hello')
  stream.end()
})

test('a refusal is one', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  await t.throwsAsync(way.dial('127.0.0.1', port), { message: /ECONNREFUSED/ })
})

test('datagrams sent at once arrive in order, as they were when they were sent; beyond sixteen they are dropped', async t => {
  const { port } = await echo(t)
  const got: string[] = []
  let all = (): void => {}
  const done = new Promise<void>(resolve => {
    all = resolve
  })
  const flow = way.datagrams(
    ELSEWHERE,
    port,
    bytes => {
      got.push(String(Buffer.from(bytes)))
      if (got.length === 16) all()
    },
    reason => t.fail(reason)
  )
  const bytes = Buffer.alloc(2)
  const taken = Array.from({ length: 20 }, (_, i) => {
    bytes.write(String(i).padStart(2, '0'))
    return flow.send(bytes)
  })
  t.deepEqual(taken, [...Array(16).fill(true), ...Array(4).fill(false)])
  await done
  t.deepEqual(
    got,
    Array.from({ length: 16 }, (_, i) => String(i).padStart(2, '0'))
  )
  flow.close()
})

test('a flow that is closed before its socket is there sends nothing', async t => {
  const { socket, port } = await echo(t)
  const heard: string[] = []
  socket.on('message', bytes => heard.push(String(bytes)))
  const flow = way.datagrams(
    '127.0.0.1',
    port,
    () => {},
    () => t.fail('closed')
  )
  flow.send(Buffer.from('never'))
  flow.close()
  t.false(flow.send(Buffer.from('never')))
  const next = new Promise(resolve => {
    const after = way.datagrams('127.0.0.1', port, resolve, () => {})
    after.send(Buffer.from('next'))
    t.teardown(() => after.close())
  })
  t.is(String(Buffer.from((await next) as Uint8Array)), 'next')
  t.deepEqual(heard, ['next'])
})

test('datagrams to where there is no way are told so, and end nothing else', async t => {
  // A socket may not be connected there: it fails as one without a network does.
  const reason = await new Promise<DatagramsEnd>(resolve => {
    way.datagrams('255.255.255.255', 9, () => {}, resolve).send(Buffer.from('anybody?'))
  })
  t.is(reason, 'denied')
})
