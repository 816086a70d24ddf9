// "dial tcp host port": a socket to the target, joined to the stream once it is established.
import { connect, type Socket } from 'node:net'
import { giveBlock, takeBlock } from '../lib/blocks.ts'
import { BULK_BYTES } from '../lib/mux/gather.ts'
import type { MuxStream } from '../lib/mux/stream.ts'
import { verdictOf } from '../lib/tunnel/errno.ts'
import { join } from '../lib/tunnel/join.ts'
import { encodeVerdict, type Verdict } from '../lib/tunnel/request.ts'

/** A target that has not answered by then counts as silent, ms; the kernel itself would try for two minutes. */
const DIAL_MS = 30_000
/** Dials in flight, each a descriptor: half of the streams of a session, so that silent targets leave room for others. */
const MAX_DIALS = 4_096
/** Idle connections are probed after this, ms, so that a vanished target frees its socket. */
const KEEP_ALIVE_MS = 60_000
/** Bytes that may wait in a socket: one DATA frame and the next. */
const SOCKET_BYTES = 131_072

/** From this size on a chunk is a block that can be recycled, bytes; smaller ones share Node's pool. */
const OWN_MEMORY_BYTES = 4_096

/** What all sockets read into, one after the other: fresh memory for each read costs a third of the agent's CPU time and 25 MB. */
const reading = Buffer.allocUnsafeSlow(BULK_BYTES)

let dialling = 0

/** Dial and answer; afterwards the stream lives and dies with the socket. */
export function dial(stream: MuxStream, host: string, port: number): void {
  if (dialling >= MAX_DIALS) {
    refuse(stream, 'busy')
    return
  }
  dialling += 1
  const socket = connectTo(host, port)
  let verdict: Verdict | undefined
  const settle = (result: Verdict) => {
    if (verdict !== undefined) return
    verdict = result
    dialling -= 1
    clearTimeout(timer)
    stream.off('close', abandoned)
    socket.off('error', failed)
    if (result === 'opened') open(stream, socket)
    else {
      socket.on('error', () => {})
      socket.destroy()
      refuse(stream, result)
    }
  }
  const failed = (error: Error) => settle(verdictOf(error))
  const abandoned = () => settle('failed') // the laptop has given up
  const timer = setTimeout(() => settle('timeout'), DIAL_MS)
  socket.on('connect', () => settle('opened'))
  socket.on('error', failed)
  stream.on('close', abandoned)
}

/** A socket that is being connected; whoever reads a chunk may give it back. */
function connectTo(host: string, port: number): Socket {
  const socket: Socket = connect({
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    // Not in the types of @types/node; both sides of a Socket take it.
    ...{ highWaterMark: SOCKET_BYTES },
    onread: { buffer: reading, callback: (length): boolean => socket.push(chunkOf(reading.subarray(0, length))) }
  })
  return Object.assign(socket, { recycle: giveBlock })
}

function chunkOf(bytes: Uint8Array): Buffer {
  if (bytes.length < OWN_MEMORY_BYTES) return Buffer.from(bytes)
  const block = takeBlock()
  block.set(bytes)
  return block.subarray(0, bytes.length)
}

function open(stream: MuxStream, socket: Socket): void {
  stream.write(encodeVerdict('opened'))
  join(socket, stream)
}

/** Answer with a verdict and no more; the laptop then lets go of the stream. */
export function refuse(stream: MuxStream, verdict: Verdict): void {
  if (stream.destroyed) return
  stream.resume()
  stream.end(encodeVerdict(verdict))
}
