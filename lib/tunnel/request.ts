// spec.md, "Requests": the first bytes of a stream in both directions.

/** Port of the agent, on 127.0.0.1 in its pod. */
export const AGENT_PORT = 7070
/** Where the ssh door of a shadow listens on loopback, if it has one. */
export const SSH_PORT = 7022
/** Longest host name or address, bytes. */
const MAX_HOST = 255
/** Shortest and longest DNS message in a request, bytes: a header; what OPEN carries. */
const MIN_MESSAGE = 12
const MAX_MESSAGE = 4_095

const DIAL = 1
const DATAGRAMS = 2
const RESOLVE = 3
const FACTS = 4
const ACCEPTED = 5
const LISTENING = 6
const TRAFFIC = 7

/** Numbers of the protocols (IANA), as in the IP header. */
const PROTOCOLS = { tcp: 6, udp: 17 } as const
/** Shortest and longest text of an address, bytes: `::` and an IPv4-mapped one in full. */
const MIN_ADDRESS = 2
const MAX_ADDRESS = 45
/** What the text of an address consists of. Whether it is one, the reader's `isIP` says. */
const ADDRESS = /^[0-9a-f.:]+$/

/** Somebody in the cluster has come to a port of the agent. Addresses are canonical texts. */
export interface Accepted {
  kind: 'accepted'
  network: 'tcp' | 'udp'
  /** Where the agent listens. */
  port: number
  /** Who has come. */
  source: string
  sourcePort: number
  /** The address of the pod that was called. */
  destination: string
}

export type Request =
  | { kind: 'dial' | 'datagrams'; host: string; port: number }
  | { kind: 'resolve'; message: Uint8Array }
  | { kind: 'facts' | 'traffic' }
  /** Asked of the laptop: does the local program behind a TCP port of the agent listen? */
  | { kind: 'listening'; port: number }
  | Accepted

/** How a request was answered. */
export type Verdict =
  | 'opened'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'not-found'
  | 'denied'
  | 'busy'
  | 'failed'
  | 'reset'

const VERDICTS: Verdict[] = [
  'opened',
  'refused',
  'unreachable',
  'timeout',
  'not-found',
  'denied',
  'busy',
  'failed',
  'reset'
]

export function encodeRequest(request: Request): Uint8Array {
  switch (request.kind) {
    case 'dial':
    case 'datagrams':
      return encodeTarget(request.kind === 'dial' ? DIAL : DATAGRAMS, request.host, request.port)
    case 'resolve':
      return Buffer.concat([Uint8Array.of(RESOLVE), request.message])
    case 'facts':
      return Uint8Array.of(FACTS)
    case 'traffic':
      return Uint8Array.of(TRAFFIC)
    case 'listening':
      return Uint8Array.of(LISTENING, request.port >> 8, request.port & 0xff)
    case 'accepted':
      return encodeAccepted(request)
  }
}

/** Undefined: nothing this version knows, or malformed. Keeps no reference to `bytes`. */
export function decodeRequest(bytes: Uint8Array): Request | undefined {
  switch (bytes[0]) {
    case DIAL:
      return decodeTarget('dial', bytes)
    case DATAGRAMS:
      return decodeTarget('datagrams', bytes)
    case RESOLVE:
      if (bytes.length < 1 + MIN_MESSAGE) return undefined
      return { kind: 'resolve', message: Uint8Array.from(bytes.subarray(1)) }
    case FACTS:
      return { kind: 'facts' }
    case TRAFFIC:
      return { kind: 'traffic' }
    case LISTENING:
      return decodeListening(bytes)
    case ACCEPTED:
      return decodeAccepted(bytes)
    default:
      return undefined
  }
}

/** Whether a DNS message can be carried by a request at all. */
export function relayable(message: Uint8Array): boolean {
  return message.length >= MIN_MESSAGE && message.length <= MAX_MESSAGE
}

export function encodeVerdict(verdict: Verdict): Uint8Array {
  return Uint8Array.of(VERDICTS.indexOf(verdict))
}

/** A number that is not known counts as `failed`. */
export function decodeVerdict(number: number): Verdict {
  return VERDICTS[number] ?? 'failed'
}

function encodeTarget(kind: number, host: string, port: number): Uint8Array {
  const name = Buffer.from(host, 'utf8')
  if (name.length === 0 || name.length > MAX_HOST) throw new RangeError(`a host has 1 to ${MAX_HOST} bytes: ${host}`)
  const bytes = Buffer.allocUnsafe(3 + name.length)
  bytes[0] = kind
  bytes.writeUInt16BE(port, 1)
  name.copy(bytes, 3)
  return bytes
}

function decodeTarget(kind: 'dial' | 'datagrams', bytes: Uint8Array): Request | undefined {
  if (bytes.length < 4 || bytes.length > 3 + MAX_HOST) return undefined
  const port = (bytes[1]! << 8) | bytes[2]!
  const host = new TextDecoder('utf-8').decode(bytes.subarray(3))
  return port === 0 || host.includes('\0') ? undefined : { kind, host, port }
}

function decodeListening(bytes: Uint8Array): Request | undefined {
  const port = (bytes[1]! << 8) | bytes[2]!
  return bytes.length !== 3 || port === 0 ? undefined : { kind: 'listening', port }
}

function encodeAccepted({ network, port, source, sourcePort, destination }: Accepted): Uint8Array {
  const bytes = Buffer.alloc(7 + source.length + destination.length)
  bytes[0] = ACCEPTED
  bytes[1] = PROTOCOLS[network]
  bytes.writeUInt16BE(port, 2)
  bytes.writeUInt16BE(sourcePort, 4)
  bytes[6] = source.length
  bytes.write(source + destination, 7, 'latin1')
  return bytes
}

function decodeAccepted(bytes: Uint8Array): Request | undefined {
  if (bytes.length < 7 + 2 * MIN_ADDRESS || bytes.length > 7 + 2 * MAX_ADDRESS) return undefined
  const network = bytes[1] === PROTOCOLS.tcp ? 'tcp' : bytes[1] === PROTOCOLS.udp ? 'udp' : undefined
  const port = (bytes[2]! << 8) | bytes[3]!
  const sourcePort = (bytes[4]! << 8) | bytes[5]!
  const end = 7 + bytes[6]!
  const addresses = new TextDecoder('latin1')
  const source = addresses.decode(bytes.subarray(7, end))
  const destination = addresses.decode(bytes.subarray(end))
  if (network === undefined || port === 0 || !isAddress(source) || !isAddress(destination)) return undefined
  return { kind: 'accepted', network, port, source, sourcePort, destination }
}

function isAddress(text: string): boolean {
  return text.length >= MIN_ADDRESS && text.length <= MAX_ADDRESS && ADDRESS.test(text)
}
