// A channel between ssh2's client and its server, over a connection of this computer.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import ssh2, { type ServerChannel } from 'ssh2'
import { ChannelStream } from '../../lib/ssh/channel-stream.ts'
import { sshKeyPair } from '../../lib/ssh/key-pair.ts'
import { duplexTests, type Pair } from '../compliance/duplex.ts'

const hostKey = sshKeyPair().private
/** Windows of ssh2 both ways, what streams hold, and what the kernel's buffers take. */
const UNREAD_BYTES = 16 * 1024 * 1024

interface Ends extends Pair {
  /** Of the connection below. */
  sockets: Socket[]
}

async function pair(): Promise<Ends> {
  const sockets: Socket[] = []
  const there = Promise.withResolvers<ChannelStream>()
  const server = new ssh2.Server({ hostKeys: [hostKey] }, client => {
    client.on('error', () => {})
    client.on('authentication', context => context.accept())
    client.on('tcpip', accept => there.resolve(new ChannelStream(accept() as ServerChannel, sockets[0]!)))
  })
  const listener = createServer(socket => {
    sockets.push(socket)
    server.injectSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const client = new ssh2.Client()
  client.on('error', () => {})
  const socket = connect((listener.address() as { port: number }).port, '127.0.0.1')
  client.connect({ sock: socket, username: 'kt' })
  await once(client, 'ready')
  const here = Promise.withResolvers<ChannelStream>()
  client.forwardOut('', 0, '', 0, (error, channel) => {
    if (error === undefined) here.resolve(new ChannelStream(channel, socket))
    else here.reject(error)
  })
  sockets.push(socket)
  const [a, b] = [await here.promise, await there.promise]
  return {
    a,
    b,
    sockets,
    close: async () => {
      for (const end of [a, b]) end.on('error', () => {}) // one that has not ended is told
      client.end()
      listener.close()
      await sleep(0)
    }
  }
}

// ssh has no word for a reset (RFC 4254 §5.3).
duplexTests(test, 'ssh channel', pair, { halfClose: true, reset: false, unreadBytes: UNREAD_BYTES })

test('a connection that is lost is an error at both ends, not an end', async t => {
  const { a, b, sockets, close } = await pair()
  const ends = [a, b].map(async end => {
    end.resume().on('end', () => t.fail('no end was said'))
    return ((await once(end, 'error')) as [Error])[0].message
  })
  sockets[0]!.resetAndDestroy()
  t.deepEqual(await Promise.all(ends), ['the ssh connection was lost', 'the ssh connection was lost'])
  await close()
})

test('a channel that is destroyed ends the other one, whose writes then fail', async t => {
  const { a, b, close } = await pair()
  a.destroy()
  b.resume()
  const [error] = (await once(b, 'error')) as [Error]
  t.is(error.message, 'the ssh channel was closed')
  t.true(b.readableEnded && b.destroyed)
  await close()
})
