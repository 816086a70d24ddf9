// Connections in bulk, against a server of the test's own on loopback.
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { dialBulk } from '../../../lib/kube/api/dial.ts'

/** Of this test alone. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYkFeJUTwxzEmbepT
Hhc1GfrfqWAuJBcEuuIkNv75IiahRANCAATxW/4XFAg8G2kz13QVTxcI7gVRiJdX
K+GxB9mjl+Dpjep8GBy0n4x7tiOoAujsxOuXaaoWk2BPVAQp2mTW1Vhf
-----END PRIVATE KEY-----
`
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBejCCASGgAwIBAgIUBshdR8pAqj6gnpS5OWqMQbDWQjQwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHa3QudGVzdDAgFw0yNjExMjExODU3MDJaGA8yMTI2MTAyODE4
NTcwMlowEjEQMA4GA1UEAwwHa3QudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABPFb/hcUCDwbaTPXdBVPFwjuBVGIl1cr4bEH2aOX4OmN6nwYHLSfjHu2I6gC
6OzE65dpqhaTYE9UBCnaZNbVWF+jUzBRMB0GA1UdDgQWBBQoYE/0kAh4JKl8AlBI
pz0isP7eZTAfBgNVHSMEGDAWgBQoYE/0kAh4JKl8AlBIpz0isP7eZTAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIE4hzBrmU3r5dBJvcqQ2R6Wh/9u4
EnAxHUvuhX6yyusdAiBRvbIVX3NOHwnN4675gBUZUmq/Kfoc6GniaEofI8anoQ==
-----END CERTIFICATE-----
`

const BLOCK = Buffer.alloc(64 * 1024, 7)
const OFFERED = 128 * 1024 * 1024
/** Of a connection that nobody reads: what the kernel keeps of it, with room to spare. */
const KEPT_MAX = 32 * 1024 * 1024

test('a socket that is paused, read from again and paused again takes no more than the kernel keeps', async t => {
  let given = 0
  const socket = await dialled(t, socket => void flood(socket))
  async function flood(socket: TLSSocket): Promise<void> {
    socket.on('error', () => {})
    for (; given < OFFERED && !socket.destroyed; given += BLOCK.length)
      if (!socket.write(BLOCK)) await once(socket, 'drain').catch(() => {})
    socket.end()
  }
  let taken = 0
  const paused = new Promise<void>(resolve => {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.some(byte => byte !== 7)) t.fail('other bytes')
      taken += chunk.length
      if (taken < 1_000_000 || socket.isPaused()) return
      socket.pause()
      resolve()
    })
  })
  await paused
  await delay(500)
  t.true(given < KEPT_MAX, `${given} bytes given to somebody who reads nothing`)
  t.true(socket.readableLength < 1024 * 1024)
  socket.removeAllListeners('data').on('data', (chunk: Buffer) => {
    taken += chunk.length
  })
  socket.resume()
  await once(socket, 'end')
  t.is(taken, OFFERED)
})

test('records of one turn of the event loop are one chunk, and what comes with the end comes before it', async t => {
  const sent = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251))
  const socket = await dialled(t, server => {
    server.setMaxSendFragment(512)
    server.end(sent)
  })
  const chunks: Buffer[] = []
  let untold = 0
  socket.on('data', (chunk: Buffer) => {
    chunks.push(Buffer.from(chunk))
    untold += chunk.length
  })
  socket.on('turn', () => {
    untold = 0
  })
  await once(socket, 'end')
  t.true(Buffer.concat(chunks).equals(sent))
  t.true(chunks.length < sent.length / 512 / 8, `${chunks.length} chunks`)
  await delay(0)
  t.is(untold, 0)
})

test('who pauses in between gets the rest later, up to the end', async t => {
  const sent = Buffer.alloc(300_000, 'kt')
  const socket = await dialled(t, server => void server.end(sent))
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => {
    chunks.push(Buffer.from(chunk))
    socket.pause()
    setTimeout(() => socket.resume(), 2)
  })
  await once(socket, 'end')
  t.true(Buffer.concat(chunks).equals(sent))
})

/** A bulk connection to a server of this test. */
async function dialled(t: ExecutionContext, accepted: (socket: TLSSocket) => void): Promise<Socket> {
  const server = createServer({ key: KEY, cert: CERTIFICATE }, accepted).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `https://127.0.0.1:${port}`
  const cluster = { server: url, 'insecure-skip-tls-verify': true }
  const socket = (await dialBulk({ server: new URL(url), proxy: undefined, cluster }, { headers: {} })) as Socket
  t.teardown(() => {
    socket.destroy()
    server.close()
  })
  return socket
}
