// "traffic": somebody at the other end for `kt bench`, on a loopback port of the pod, as long as the stream is open.
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { MuxStream } from '../lib/mux/stream.ts'
import { encodeVerdict } from '../lib/tunnel/request.ts'
import { ECHO, SINK, SINK_STEP, SOURCE } from '../lib/tunnel/traffic.ts'
import { refuse } from './dial.ts'

/** The port is closed after this whoever forgets it, ms. */
const OPEN_MS = 600_000
/** Ports at once: one, and those that are just being closed. */
const MAX_PORTS = 4
/** Callers of a port at once: each way that is compared, and one that loads it. */
const MAX_CALLERS = 8
/** Of a source, bytes: large enough that it is not what is measured. */
const BLOCK_BYTES = 262_144

let ports = 0

/** Open a port and say which. */
export function traffic(stream: MuxStream): void {
  if (ports >= MAX_PORTS) {
    refuse(stream, 'busy')
    return
  }
  ports += 1
  const callers = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    if (callers.size >= MAX_CALLERS) {
      socket.destroy()
      return
    }
    callers.add(socket)
    socket.on('close', () => callers.delete(socket))
    socket.on('error', () => {}) // 'close' follows
    socket.once('data', first => converse(socket, first))
  })
  const limit = setTimeout(() => stream.destroy(), OPEN_MS)
  stream.on('close', () => {
    ports -= 1
    clearTimeout(limit)
    server.close()
    for (const socket of callers) socket.destroy()
  })
  stream.on('end', () => stream.destroy())
  stream.resume()
  server.on('error', () => refuse(stream, 'failed'))
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    stream.write(Buffer.concat([encodeVerdict('opened'), Uint8Array.of(port >> 8, port & 0xff)]))
  })
}

function converse(socket: Socket, first: Buffer): void {
  const rest = first.subarray(1)
  if (first[0] === SOURCE) give(socket)
  else if (first[0] === SINK) take(socket, rest)
  else if (first[0] === ECHO) {
    socket.write(rest)
    socket.pipe(socket)
  } else socket.destroy()
}

function give(socket: Socket): void {
  const block = Buffer.alloc(BLOCK_BYTES)
  const more = (): void => {
    while (!socket.destroyed && socket.write(block));
  }
  socket.on('drain', more)
  socket.resume()
  more()
}

function take(socket: Socket, rest: Buffer): void {
  let untold = rest.length
  socket.on('data', chunk => {
    untold += chunk.length
    if (untold < SINK_STEP) return
    socket.write(Buffer.alloc(Math.floor(untold / SINK_STEP)))
    untold %= SINK_STEP
  })
}
