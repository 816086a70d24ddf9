// Sockets that read into one buffer for all: every byte comes, in order, whoever listens, and memory that goes round is nobody else's.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { acceptFrom, connectTo, listenTo, passOn } from '../../shadow-agent/connect.ts'

/** A client, and the socket that a server has accepted from it. */
async function pair(kind: 'direct' | 'plain'): Promise<{ client: Socket; accepted: Socket; close(): void }> {
  const server = createServer({ allowHalfOpen: true })
  const sockets: Socket[] = []
  const arrived = new Promise<Socket>(resolve => {
    // A server that does not listen yet shows nothing to take sockets from.
    if (kind === 'plain') acceptFrom(server, resolve)
    else server.on('listening', () => acceptFrom(server, resolve))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectTo('127.0.0.1', (server.address() as AddressInfo).port)
  const accepted = await arrived
  sockets.push(client, accepted)
  return {
    client,
    accepted,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

for (const kind of ['direct', 'plain'] as const) {
  test(`a ${kind} socket of a server: past its stream, back to it, and its end`, async t => {
    const { client, accepted, close } = await pair(kind)
    const heard: string[] = []
    listenTo(accepted, bytes => heard.push(String(bytes)))
    client.write('one')
    while (heard.length === 0) await sleep(5)
    accepted.pause()
    client.write('two')
    await sleep(50)
    t.deepEqual(heard, ['one'], 'paused')
    accepted.resume()
    while (heard.length === 1) await sleep(5)
    t.deepEqual(heard, ['one', 'two'])
    listenTo(accepted, undefined)
    const streamed = once(accepted, 'data')
    client.end('three')
    t.is(String((await streamed)[0]), 'three')
    await once(accepted, 'end')
    t.is(heard.length, 2)
    close()
  })

  test(`a ${kind} socket of a server: what is passed on to a slow reader is what was said`, async t => {
    const [from, to] = [await pair(kind), await pair('direct')]
    const sent = randomBytes(16 * 1_048_576)
    listenTo(from.accepted, bytes => {
      if (!passOn(to.client, bytes)) from.accepted.pause()
    })
    to.client.on('drain', () => from.accepted.resume())
    from.accepted.on('end', () => to.client.end())
    from.client.end(sent)
    const received: Buffer[] = []
    for await (const bytes of to.accepted as AsyncIterable<Buffer>) {
      received.push(bytes)
      if (received.length % 32 === 0) await sleep(2)
    }
    t.is(digestOf(Buffer.concat(received)), digestOf(sent))
    from.close()
    to.close()
  })
}
