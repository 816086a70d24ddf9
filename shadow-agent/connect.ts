// Sockets whose bytes come by way of one buffer for all of them, and on demand past the stream. Fresh memory for each read costs a third
// of the CPU time of an agent under bulk traffic, and 25 MB; the readable side of a stream a tenth of that of a router.
import { connect, type Server, Socket, type SocketConstructorOpts } from 'node:net'
import { giveBlock, takeBlock } from '../lib/blocks.ts'
import { BULK_BYTES } from '../lib/mux/gather.ts'

/** Idle connections are probed after this, ms, so that a vanished target frees its socket. */
const KEEP_ALIVE_MS = 60_000
/** Bytes that may wait in a socket: one DATA frame and the next. */
export const SOCKET_BYTES = 131_072
/** From this size on a chunk is a block that can be recycled, bytes; smaller ones share Node's pool. */
const OWN_MEMORY_BYTES = 4_096

/** What all of them read into, one after the other. */
const reading = Buffer.allocUnsafeSlow(BULK_BYTES)
const HEARD = Symbol('heard')

/** Gets what a socket reads; it may give a chunk back (`giveBlock`) when nobody needs it any more. */
export type Heard = (bytes: Buffer) => void

interface Direct extends Socket {
  /** Undefined: the stream gets it. */
  [HEARD]: Heard | undefined
  recycle(chunk: Uint8Array): void
}

/** What a server of Node has inside. */
interface Listening {
  _handle?: { onconnection?: (status: number, accepted: unknown) => void } | null
}

/** A socket that is being connected; half-open is allowed. */
export function connectTo(host: string, port: number): Socket {
  return direct(options =>
    connect({ ...options, host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS })
  )
}

/**
 * Hand the callers of `server`, which has just begun to listen, to `onSocket`. Node's own sockets of a server know no `onread`, so ours are
 * made of the same handles; where Node should not show them any more, it is its own.
 */
export function acceptFrom(server: Server, onSocket: (socket: Socket) => void): void {
  const { _handle: handle } = server as unknown as Listening
  const take = (socket: Socket): void => {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    onSocket(socket)
  }
  if (typeof handle?.onconnection !== 'function') server.on('connection', take)
  else {
    handle.onconnection = (status, accepted) => {
      // Anything else: out of descriptors; the next caller may have one.
      if (status === 0) take(direct(options => new Socket({ ...options, handle: accepted } as SocketConstructorOpts)))
    }
  }
}

/**
 * What `socket` reads goes to `heard` from now on, past its stream; undefined: to the stream again. Nothing may wait in the
 * stream. `pause` and `resume` hold for both.
 */
export function listenTo(socket: Socket, heard: Heard | undefined): void {
  if (HEARD in socket) (socket as Direct)[HEARD] = heard
  else {
    socket.removeAllListeners('data')
    if (heard !== undefined) socket.on('data', heard)
  }
}

/** Write a chunk that nobody else needs, and give it back then. As `write`. */
export function passOn(socket: Socket, chunk: Buffer): boolean {
  if (chunk.length < OWN_MEMORY_BYTES) return socket.write(chunk)
  return socket.write(chunk, error => {
    if (!error) giveBlock(chunk)
  })
}

function direct(make: (options: SocketConstructorOpts) => Socket): Socket {
  const socket = make({
    allowHalfOpen: true,
    // Not in the types of @types/node; both sides of a Socket take it.
    ...{ highWaterMark: SOCKET_BYTES },
    onread: {
      buffer: reading,
      callback(length) {
        const heard = socket[HEARD]
        if (heard === undefined) return socket.push(chunkOf(length))
        heard(chunkOf(length))
        return true
      }
    }
  }) as Direct
  socket[HEARD] = undefined
  socket.recycle = giveBlock
  return socket
}

/** What has just been read. */
function chunkOf(length: number): Buffer {
  const chunk = length < OWN_MEMORY_BYTES ? Buffer.allocUnsafe(length) : takeBlock()
  reading.copy(chunk, 0, 0, length)
  return chunk.length === length ? chunk : chunk.subarray(0, length)
}
