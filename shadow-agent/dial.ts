// "dial tcp host port": a socket to the target, joined to the stream once it is established.
import type { Socket } from 'node:net'
import type { MuxStream } from '../lib/mux/stream.ts'
import { verdictOf } from '../lib/tunnel/errno.ts'
import { join } from '../lib/tunnel/join.ts'
import { encodeVerdict, type Verdict } from '../lib/tunnel/request.ts'
import { connectTo } from './connect.ts'

/** A target that has not answered by then counts as silent, ms; the kernel itself would try for two minutes. */
const DIAL_MS = 30_000
/** Dials in flight, each a descriptor: half of the streams of a session, so that silent targets leave room for others. */
const MAX_DIALS = 4_096

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
