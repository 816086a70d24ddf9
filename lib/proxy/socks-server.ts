// One SOCKS conversation: greeting, request, and then bytes or datagrams.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from '../tunnel/join.ts'
import { type Dialer, tunnelError } from './dialer.ts'
import {
  COMMAND,
  encodeReply,
  type Parsed,
  parseGreeting,
  parseRequest4,
  parseRequest5,
  REPLY,
  replyFor,
  SOCKS4,
  SOCKS5,
  type SocksRequest
} from './socks.ts'
import { associate } from './socks-datagrams.ts'

/** A client that has not said what it wants by then is disconnected, ms. */
const REQUEST_MS = 30_000

/** Serve a socket on which nothing has been read yet. It has a listener for 'error'. Never rejects. */
export async function serveSocks(socket: Socket, dialer: Dialer): Promise<void> {
  const limit = setTimeout(() => socket.destroy(), REQUEST_MS)
  const request = await readRequest(socket)
  clearTimeout(limit)
  if (request === undefined) {
    if (!socket.destroyed) socket.destroySoon()
    return
  }
  if (request.command === COMMAND.CONNECT) await connectTo(socket, request, dialer)
  else if (request.command === COMMAND.UDP_ASSOCIATE && request.version === SOCKS5) await associate(socket, dialer)
  else socket.end(encodeReply(request.version, REPLY.COMMAND_NOT_SUPPORTED))
}

/** Undefined: it was not to be had, and the client has been told if there is something to tell. */
async function readRequest(socket: Socket): Promise<SocksRequest | undefined> {
  const version = await take(socket, bytes => (bytes.length === 0 ? 'more' : { value: bytes[0], length: 0 }))
  if (version === SOCKS4) {
    const request = await take(socket, parseRequest4)
    return typeof request === 'string' ? undefined : request
  }
  const greeting = await take(socket, parseGreeting)
  if (typeof greeting !== 'object') return undefined
  socket.write(greeting.answer)
  if (!greeting.accepted) return undefined
  const request = await take(socket, parseRequest5)
  if (typeof request === 'object') return request
  if (request === 'address') socket.write(encodeReply(SOCKS5, REPLY.ADDRESS_NOT_SUPPORTED))
  return undefined
}

async function connectTo(socket: Socket, { version, host, port }: SocksRequest, dialer: Dialer): Promise<void> {
  const gone = new AbortController()
  const abandon = (): void => gone.abort()
  socket.once('close', abandon)
  try {
    const far = await dialer.dial(host, port, gone.signal)
    socket.write(encodeReply(version, REPLY.SUCCEEDED))
    join(socket, far)
  } catch (error) {
    socket.end(encodeReply(version, replyFor(tunnelError(error, host).reason)))
    socket.resume() // until the client has seen it
  } finally {
    socket.off('close', abandon)
  }
}

/**
 * The next message of a paused socket, parsed; what is behind it stays in the socket. A word other than `more` is how parsing
 * ended; undefined: the socket did.
 */
async function take<T, W extends string>(
  socket: Socket,
  parse: (bytes: Uint8Array) => Parsed<T> | W
): Promise<T | Exclude<W | 'malformed', 'more'> | undefined> {
  let bytes = Buffer.alloc(0)
  for (;;) {
    const parsed = parse(bytes)
    if (typeof parsed === 'object') {
      if (parsed.length < bytes.length) socket.unshift(bytes.subarray(parsed.length))
      return parsed.value
    }
    if (parsed !== 'more') return parsed as Exclude<W | 'malformed', 'more'>
    const more = await readMore(socket)
    if (more === undefined) return undefined
    bytes = Buffer.concat([bytes, more])
  }
}

async function readMore(socket: Socket): Promise<Buffer | undefined> {
  for (;;) {
    const bytes = socket.read() as Buffer | null
    if (bytes !== null) return bytes
    if (socket.readableEnded || socket.destroyed) return undefined
    const next = new AbortController()
    await Promise.race(
      ['readable', 'end', 'close', 'error'].map(event => once(socket, event, { signal: next.signal }).catch(() => {}))
    )
    next.abort()
  }
}
