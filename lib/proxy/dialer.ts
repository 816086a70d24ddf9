// What a proxy asks of whoever reaches the targets, and the one who reaches them from this computer itself.
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { connect, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { MAX_DATAGRAM } from '../tunnel/datagrams.ts'
import { verdictOf } from '../tunnel/errno.ts'
import { type Datagrams, type DatagramsEnd, reasonOf, TunnelError } from '../tunnel/tunnel.ts'

/** Opens connections and flows to a host (a name or an address) and a port. */
export interface Dialer {
  /** Resolves when the target has answered; rejects with a TunnelError, also when `signal` fires. */
  dial(host: string, port: number, signal?: AbortSignal): Promise<Duplex>
  /** A UDP flow, once its name is resolved; rejects with a TunnelError. As `Tunnel.datagrams`. */
  datagrams(
    host: string,
    port: number,
    received: (bytes: Uint8Array) => void,
    closed: (reason: DatagramsEnd) => void
  ): Promise<Datagrams>
}

/** A target that has not answered by then counts as silent, ms: as long as the agent waits. */
const DIAL_MS = 30_000
/** A UDP flow without a datagram for so long is over, ms (RFC 4787 §4.3: at least two minutes, as the agent does). */
const IDLE_MS = 120_000
/** Bytes that may wait in a socket: one DATA frame and the next. */
const SOCKET_BYTES = 131_072

/** This computer's own network, with its own resolver. */
export const DIRECT: Dialer = { dial: dialDirect, datagrams: datagramsDirect }

/** Whatever `error` is, as what a dialer rejects with. */
export function tunnelError(error: unknown, what: string): TunnelError {
  if (error instanceof TunnelError) return error
  return new TunnelError(
    reasonOf(verdictOf(error)),
    `${what}: ${error instanceof Error ? error.message : String(error)}`
  )
}

function dialDirect(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
  const what = `${host}:${port}`
  return new Promise((resolve, reject) => {
    // Not in the types of @types/node; both sides of a Socket take it.
    const buffers = { highWaterMark: SOCKET_BYTES }
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, keepAlive: true, ...buffers })
    const settle = (error?: TunnelError): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abandoned)
      socket.off('error', failed)
      socket.on('error', () => {}) // joined or destroyed: 'close' tells
      if (error === undefined) resolve(socket)
      else {
        socket.destroy()
        reject(error)
      }
    }
    const failed = (error: Error): void => settle(tunnelError(error, what))
    const abandoned = (): void => settle(new TunnelError('closed', `${what}: not wanted any more`))
    const timer = setTimeout(() => settle(new TunnelError('timeout', `${what}: no answer`)), DIAL_MS)
    socket.once('connect', () => settle())
    socket.on('error', failed)
    signal?.addEventListener('abort', abandoned)
    if (signal?.aborted) abandoned()
  })
}

async function datagramsDirect(
  host: string,
  port: number,
  received: (bytes: Uint8Array) => void,
  closed: (reason: DatagramsEnd) => void
): Promise<Datagrams> {
  const { address } = await lookup(host).catch((error: Error) => Promise.reject(tunnelError(error, host)))
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  let done = false
  const end = (): boolean => {
    if (done) return false
    done = true
    clearTimeout(idle)
    socket.removeAllListeners('error').on('error', () => {}) // an ICMP error may still come in
    socket.close()
    return true
  }
  const idle = setTimeout(() => end() && closed('idle'), IDLE_MS)
  socket.on('message', bytes => {
    idle.refresh()
    received(bytes)
  })
  socket.on('error', error => end() && closed(tunnelError(error, host).reason))
  await new Promise<void>((resolve, reject) => {
    // Where there is no way, the callback is told, and nobody else.
    socket.connect(port, address, (...[error]: unknown[]) => {
      if (error === undefined) return resolve()
      end()
      reject(tunnelError(error as Error, host))
    })
  })
  return {
    send(bytes) {
      if (done || bytes.length > MAX_DATAGRAM) return false
      idle.refresh()
      socket.send(Uint8Array.from(bytes))
      return true
    },
    close: end
  }
}
