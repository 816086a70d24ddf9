// SOCKS 4, 4a and 5 (RFC 1928) as bytes: what a client says, and what it is answered. Pure; nothing here throws.
import type { TunnelReason } from '../tunnel/tunnel.ts'
import { formatAddress, IPV4_LENGTH, IPV6_LENGTH, parseAddress } from '../wire/address.ts'

/** A message and its length in bytes; `more`: only its beginning is here; `malformed`: no continuation makes it one. */
export type Parsed<T> = { value: T; length: number } | 'more' | 'malformed'

export const SOCKS4 = 4
export const SOCKS5 = 5

/** RFC 1928 §4. The numbers of SOCKS 4 are the first two. */
export const COMMAND = { CONNECT: 1, BIND: 2, UDP_ASSOCIATE: 3 } as const

/** RFC 1928 §6, and how SOCKS 4 says it: granted or not. */
export const REPLY = {
  SUCCEEDED: 0,
  FAILURE: 1,
  NOT_ALLOWED: 2,
  NETWORK_UNREACHABLE: 3,
  HOST_UNREACHABLE: 4,
  REFUSED: 5,
  TTL_EXPIRED: 6,
  COMMAND_NOT_SUPPORTED: 7,
  ADDRESS_NOT_SUPPORTED: 8
} as const

export interface SocksRequest {
  version: typeof SOCKS4 | typeof SOCKS5
  /** One of COMMAND, or a number that is not known. */
  command: number
  /** A name as it was written, or the canonical text of an address. */
  host: string
  port: number
}

/** RFC 1928 §3: the method "no authentication", and the answer that none will do. */
const NO_AUTHENTICATION = 0
const NO_ACCEPTABLE_METHOD = 0xff
/** RFC 1928 §5. */
const ATYP = { IPV4: 1, DOMAIN: 3, IPV6: 4 } as const
const ADDRESS_LENGTHS: Record<number, number> = { [ATYP.IPV4]: IPV4_LENGTH, [ATYP.IPV6]: IPV6_LENGTH }
/** Answers of SOCKS 4. */
const SOCKS4_GRANTED = 0x5a
const SOCKS4_REJECTED = 0x5b
/** Longest user id of SOCKS 4 and longest name, bytes; neither has a limit of its own there. */
const MAX_TEXT = 255

/** The methods that a SOCKS 5 client offers: the answer to it, and whether the conversation goes on. */
export function parseGreeting(bytes: Uint8Array): Parsed<{ answer: Uint8Array; accepted: boolean }> {
  if (bytes.length < 2) return 'more'
  const length = 2 + bytes[1]!
  if (bytes.length < length) return 'more'
  const accepted = bytes.subarray(2, length).includes(NO_AUTHENTICATION)
  const answer = Uint8Array.of(SOCKS5, accepted ? NO_AUTHENTICATION : NO_ACCEPTABLE_METHOD)
  return { value: { answer, accepted }, length }
}

/** RFC 1928 §4. `address`: a type of address that is not known. */
export function parseRequest5(bytes: Uint8Array): Parsed<SocksRequest> | 'address' {
  if (bytes.length < 4) return 'more'
  if (bytes[0] !== SOCKS5) return 'malformed'
  const target = parseTarget(bytes, 3)
  if (typeof target === 'string') return target
  const { host, port, end } = target
  return { value: { version: SOCKS5, command: bytes[1]!, host, port }, length: end }
}

/** SOCKS 4, and 4a: the address 0.0.0.x says that a name follows. */
export function parseRequest4(bytes: Uint8Array): Parsed<SocksRequest> {
  if (bytes.length < 8) return 'more'
  const user = textEnd(bytes, 8)
  if (typeof user === 'string') return user
  const request: SocksRequest = {
    version: SOCKS4,
    command: bytes[1]!,
    host: formatAddress(bytes, 4, IPV4_LENGTH),
    port: portAt(bytes, 2)
  }
  const isNamed = bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] !== 0
  if (!isNamed) return { value: request, length: user + 1 }
  const end = textEnd(bytes, user + 1)
  if (typeof end === 'string') return end
  const host = hostOf(bytes, user + 1, end)
  return host === undefined ? 'malformed' : { value: { ...request, host }, length: end + 1 }
}

/** The answer to a request; `bound` is where UDP is taken (SOCKS 5 only). */
export function encodeReply(
  version: SocksRequest['version'],
  reply: number,
  bound: { host: string; port: number } = { host: '0.0.0.0', port: 0 }
): Uint8Array {
  if (version === SOCKS4) {
    return Uint8Array.of(0, reply === REPLY.SUCCEEDED ? SOCKS4_GRANTED : SOCKS4_REJECTED, 0, 0, 0, 0, 0, 0)
  }
  return Buffer.concat([Uint8Array.of(SOCKS5, reply, 0), encodeTarget(bound.host, bound.port)])
}

/** What the far side said, in the words of RFC 1928 §6; a silent target is the nearest thing to an expired TTL. */
export function replyFor(reason: TunnelReason): number {
  switch (reason) {
    case 'refused':
    case 'reset':
      return REPLY.REFUSED
    case 'unreachable':
    case 'not-found':
      return REPLY.HOST_UNREACHABLE
    case 'timeout':
      return REPLY.TTL_EXPIRED
    case 'denied':
      return REPLY.NOT_ALLOWED
    case 'closed':
      return REPLY.FAILURE
  }
}

/** RFC 1928 §7: a datagram with its target in front. Undefined: a fragment, which is optional and rare, or malformed. */
export function decodeDatagram(bytes: Uint8Array): { host: string; port: number; data: Uint8Array } | undefined {
  if (bytes.length < 4 || bytes[2] !== 0) return undefined
  const target = parseTarget(bytes, 3)
  if (typeof target === 'string' || target.port === 0) return undefined
  return { host: target.host, port: target.port, data: bytes.subarray(target.end) }
}

/** The same for a datagram that has come from there. Copies `data`. */
export function encodeDatagram(host: string, port: number, data: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0, 0, 0), encodeTarget(host, port), data])
}

interface Target {
  host: string
  port: number
  /** Index behind it. */
  end: number
}

/** ATYP, address and port at `at`. */
function parseTarget(bytes: Uint8Array, at: number): Target | 'more' | 'malformed' | 'address' {
  const atyp = bytes[at]!
  const isDomain = atyp === ATYP.DOMAIN
  const from = at + (isDomain ? 2 : 1)
  const length = isDomain ? bytes[at + 1] : ADDRESS_LENGTHS[atyp]
  if (length === undefined) return isDomain ? 'more' : 'address'
  const end = from + length + 2
  if (bytes.length < end) return 'more'
  const host = isDomain ? hostOf(bytes, from, from + length) : formatAddress(bytes, from, length)
  return host === undefined ? 'malformed' : { host, port: portAt(bytes, end - 2), end }
}

function encodeTarget(host: string, port: number): Uint8Array {
  const address = parseAddress(host)
  const name = Buffer.from(host, 'latin1').subarray(0, MAX_TEXT)
  const head =
    address === undefined
      ? [Uint8Array.of(ATYP.DOMAIN, name.length), name]
      : [Uint8Array.of(address.length === IPV4_LENGTH ? ATYP.IPV4 : ATYP.IPV6), address]
  return Buffer.concat([...head, Uint8Array.of(port >> 8, port & 0xff)])
}

function portAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** Index of the zero byte that ends a text at `from`. */
function textEnd(bytes: Uint8Array, from: number): number | 'more' | 'malformed' {
  const end = bytes.indexOf(0, from)
  const length = (end < 0 ? bytes.length : end) - from
  if (length > MAX_TEXT) return 'malformed'
  return end < 0 ? 'more' : end
}

/** A name or the text of an address; undefined for bytes that no host has. */
function hostOf(bytes: Uint8Array, from: number, to: number): string | undefined {
  const text = Buffer.from(bytes.subarray(from, to)).toString('latin1')
  return /^[!-~]+$/.test(text) ? text : undefined
}
