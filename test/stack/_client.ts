// The laptop's applications for the tests against the kernel: plain sockets. Each function is one scenario and tells what it saw.
import { createHash, randomBytes } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { serveCalls } from '../_support/netns.ts'
import { ping } from './_ping.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function collect(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Send `bytes`, take the echo; true if it is the same. */
async function echo(host: string, port: number, bytes: Uint8Array): Promise<boolean> {
  const socket = net.connect(port, host)
  socket.end(bytes)
  return sha256(await collect(socket)) === sha256(bytes)
}

serveCalls({
  /** `flows` echoes at once with different bytes; how many came back exact. */
  async echoes(host: string, port: number, flows: number, length: number): Promise<number> {
    const results = await Promise.all(
      Array.from({ length: flows }, (_, i) => echo(host, port, randomBytes(length + i)))
    )
    return results.filter(Boolean).length
  },
  /** Connect, and what came of it: 'connected' or the code of the error, or 'timeout' after `ms`. */
  connect(host: string, port: number, ms: number): Promise<string> {
    return new Promise(resolve => {
      const socket = net.connect(port, host)
      const timer = setTimeout(() => finish('timeout'), ms)
      const finish = (result: string): void => {
        clearTimeout(timer)
        socket.destroy()
        resolve(result)
      }
      socket.on('connect', () => finish('connected'))
      socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? ''))
    })
  },
  /** Send, end, and only then read. */
  async answerAtEnd(host: string, port: number, length: number): Promise<{ answer: string; expected: string }> {
    const bytes = randomBytes(length)
    const socket = net.connect({ port, host, allowHalfOpen: true })
    socket.end(bytes)
    return { answer: (await collect(socket)).toString(), expected: sha256(bytes) }
  },
  /** Wait for the other side's end, and only then send. */
  async sendAfterEnd(host: string, port: number, length: number): Promise<{ greeting: string; expected: string }> {
    const bytes = randomBytes(length)
    const socket = net.connect({ port, host, allowHalfOpen: true })
    const greeting = (await collect(socket)).toString()
    socket.end(bytes)
    await once(socket, 'close')
    return { greeting, expected: sha256(bytes) }
  },
  /** Send a byte and see how the connection ends. */
  async ending(host: string, port: number): Promise<string> {
    const socket = net.connect(port, host)
    socket.write('x')
    socket.resume()
    return new Promise(resolve => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
      socket.on('end', () => resolve('end'))
    })
  },
  async reset(host: string, port: number): Promise<void> {
    const socket = net.connect(port, host)
    await once(socket, 'connect')
    socket.resetAndDestroy()
  },
  /** Write as much as goes for `ms`; the bytes per connection that were taken from us. */
  async stuff(host: string, port: number, flows: number, ms: number): Promise<number[]> {
    const sockets = Array.from({ length: flows }, () => net.connect(port, host))
    const chunk = Buffer.alloc(64 * 1024)
    for (const socket of sockets) {
      socket.on('error', () => {})
      const send = (): void => {
        while (socket.write(chunk)) {
          // until the socket says enough
        }
      }
      socket.on('drain', send)
      socket.on('connect', send)
    }
    await new Promise(resolve => setTimeout(resolve, ms))
    const written = sockets.map(socket => socket.bytesWritten - socket.writableLength)
    for (const socket of sockets) socket.destroy()
    return written
  },
  /** Connections at once, a byte there and back on each; how many did it, and after how long the last had connected. */
  async burst(host: string, port: number, count: number): Promise<{ done: number; connectedMs: number }> {
    const begin = performance.now()
    let connectedMs = 0
    const results = await Promise.all(
      Array.from(
        { length: count },
        (_, i) =>
          new Promise<boolean>(resolve => {
            const socket = net.connect(port, host)
            socket.on('connect', () => {
              connectedMs = performance.now() - begin
              socket.write(Buffer.from([i & 0xff]))
            })
            socket.on('data', data => {
              socket.end()
              resolve(data.length === 1 && data[0] === (i & 0xff))
            })
            socket.on('error', () => resolve(false))
          })
      )
    )
    return { done: results.filter(Boolean).length, connectedMs }
  },
  /** Datagrams of these lengths from one socket; the lengths and order in which exact copies came back within `ms`. */
  async datagrams(host: string, port: number, lengths: number[], ms: number): Promise<number[]> {
    const socket = dgram.createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 })
    const sent = lengths.map(length => randomBytes(length))
    const received: number[] = []
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      socket.on('message', (bytes, { address, port: from }) => {
        const expected = sent[received.length]
        const exact = expected !== undefined && Buffer.compare(bytes, expected) === 0
        received.push(exact && address === host && from === port ? bytes.length : -1)
        if (received.length === lengths.length) {
          clearTimeout(timer)
          resolve()
        }
      })
      for (const bytes of sent) socket.send(bytes, port, host)
    })
    socket.close()
    return received
  },
  /** A connected UDP socket: the code of the error that a datagram brings. */
  udpError(host: string, port: number): Promise<string> {
    return new Promise(resolve => {
      const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4')
      const finish = (result: string): void => {
        clearTimeout(timer)
        socket.close()
        resolve(result)
      }
      const timer = setTimeout(() => finish('nothing'), 2000)
      socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? ''))
      socket.on('message', () => finish('answer'))
      socket.connect(port, host, () => socket.send('x'))
    })
  },
  ping
})
