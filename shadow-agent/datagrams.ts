// "datagrams udp host port": a connected UDP socket per stream.
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import type { MuxStream } from '../lib/mux/stream.ts'
import { DatagramDecoder, MAX_QUEUED_BYTES, sendDatagram } from '../lib/tunnel/datagrams.ts'
import { verdictOf } from '../lib/tunnel/errno.ts'
import { encodeVerdict } from '../lib/tunnel/request.ts'
import { refuse } from './dial.ts'

/** Without a datagram in either direction the flow ends, ms: the longest expiry Kubernetes itself uses for UDP is 180 s. */
const IDLE_MS = 300_000
/** Flows at a time, each a socket. */
const MAX_FLOWS = 4_096

/** Of each socket, bytes; the kernel doubles it and counts its own overhead. Its default holds 90 small datagrams, 35 ms at 30 Mbit/s. */
const RECEIVE_BUFFER = 524_288

let flows = 0

/** Open the flow and answer; it lives and dies with the stream. */
export function datagrams(stream: MuxStream, host: string, port: number): void {
  if (flows >= MAX_FLOWS) {
    refuse(stream, 'busy')
    return
  }
  flows += 1
  stream.once('close', () => {
    flows -= 1
  })
  const family = isIP(host)
  if (family !== 0) flow(stream, host, port, family)
  else named(stream, host, port)
}

function named(stream: MuxStream, host: string, port: number): void {
  lookup(host, (error, address, resolvedFamily) => {
    if (error !== null) refuse(stream, verdictOf(error))
    else if (!stream.destroyed) flow(stream, address, port, resolvedFamily)
  })
}

function flow(stream: MuxStream, address: string, port: number, family: number): void {
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', recvBufferSize: RECEIVE_BUFFER })
  const idle = setTimeout(() => stream.end(), IDLE_MS) // and the laptop lets go of it
  stream.once('close', () => {
    clearTimeout(idle)
    socket.close()
  })
  let connected = false
  socket.on('error', error => {
    // An ICMP unreachable for something we sent; or the flow could not be opened at all.
    if (connected) stream.reset(verdictOf(error) === 'refused' ? 'refused' : 'reset')
    else refuse(stream, verdictOf(error))
  })
  socket.on('message', bytes => {
    idle.refresh()
    sendDatagram(stream, bytes)
  })
  socket.connect(port, address, (...[error]: unknown[]) => {
    if (error !== undefined) return refuse(stream, verdictOf(error as Error)) // no way there; 'error' does not tell that
    if (stream.destroyed) return
    connected = true
    stream.write(encodeVerdict('opened'))
    read(stream, socket, idle)
  })
}

function read(stream: MuxStream, socket: Socket, idle: NodeJS.Timeout): void {
  const decoder = new DatagramDecoder(bytes => {
    idle.refresh()
    if (socket.getSendQueueSize() > MAX_QUEUED_BYTES) return // dropped, as a router would
    socket.send(bytes, error => {
      if (error !== null) socket.emit('error', error)
    })
  })
  stream.on('data', (chunk: Uint8Array) => {
    if (!decoder.push(chunk)) stream.reset('internal')
  })
  stream.on('end', () => stream.destroy())
}
