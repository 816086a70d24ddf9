import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Duplex, duplexPair } from 'node:stream'
import test from 'ava'
import { join } from '../../lib/tunnel/join.ts'
import { bytesOf, duplexTests, expected, hashOf, pour } from '../compliance/duplex.ts'

/** near ⇄ (left joined to right) ⇄ far */
function joined() {
  const [near, left] = duplexPair({ highWaterMark: 16_384 })
  const [far, right] = duplexPair({ highWaterMark: 16_384 })
  join(left, right)
  return { near, far, left, right }
}

duplexTests(
  test,
  'two joined streams',
  async () => {
    const { near, far } = joined()
    return { a: near, b: far, close: async () => {} }
  },
  { halfClose: true, reset: false, unreadBytes: 6 * 16_384 + 131_072 }
)

test('an end that came before joining is passed on', async t => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  await once(server, 'listening')
  connect((server.address() as AddressInfo).port, '127.0.0.1').end()
  const [socket] = await accepted
  if (!socket.readableEnded) await once(socket, 'end')
  const [far, right] = duplexPair()
  join(socket, right)
  t.is(String(await bytesOf(far)), '')
  socket.destroy()
  server.close()
})

test('the error of one destroys the other, with the same error', async t => {
  const { left, right } = joined()
  const error = once(right, 'error')
  left.destroy(new Error('user timeout'))
  t.is(((await error)[0] as Error).message, 'user timeout')
})

test('destroying one without an error destroys the other with one', async t => {
  const { left, right } = joined()
  const error = once(left, 'error')
  right.destroy()
  t.true((await error)[0] instanceof Error)
})

test('a socket that is reset right behind its end is closed, and its descriptor is not lost', async t => {
  const server = createServer({ allowHalfOpen: true }, socket => socket.on('error', () => {}).resume()).listen(
    0,
    '127.0.0.1'
  )
  await once(server, 'listening')
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  const [far, right] = duplexPair()
  join(socket, right)
  far.end()
  right.once('end', () => right.destroy()) // the end has been passed on, and nothing more can be
  right.resume()
  let failure: Error | undefined
  socket.on('error', error => {
    failure = error
  })
  await once(socket, 'close')
  t.is(failure, undefined)
  server.close()
})

test('after both ends neither is reset', async t => {
  const { near, far, left, right } = joined()
  near.end('a')
  far.end('b')
  t.deepEqual(await Promise.all([bytesOf(near), bytesOf(far)]), [Buffer.from('b'), Buffer.from('a')])
  await Promise.all([left, right].map(async one => one.closed || (await once(one, 'close'))))
  t.is(left.errored, null)
  t.is(right.errored, null)
})

test('one that is gone before they are joined takes the other with it', async t => {
  const left = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const [right] = duplexPair()
  left.destroy()
  await once(left, 'close')
  const error = once(right, 'error')
  join(left, right)
  t.true((await error)[0] instanceof Error)
})

test('a socket is reset, not closed', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [peer] = (await once(server, 'connection')) as [Socket]
  const [near, left] = duplexPair()
  join(left, socket)
  peer.resume()
  const error = once(peer, 'error') as Promise<[NodeJS.ErrnoException]>
  near.write('x')
  await once(peer, 'data')
  left.destroy()
  t.is((await error)[0].code, 'ECONNRESET')
  server.close()
})

test('a slow reader holds the whole chain back, and gets every byte', async t => {
  const { near, far } = joined()
  const hash = hashOf(far)
  far.pause()
  const done = pour(near, 1_000_000, 8)
  await new Promise(resolve => setTimeout(resolve, 30))
  t.true(near.writableLength + far.readableLength < 400_000)
  far.resume()
  far.end()
  await done
  t.is(await hash, expected(1_000_000, 8))
})
