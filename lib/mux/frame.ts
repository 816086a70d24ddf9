// spec.md, "Frame": the header, the types and the codes. Nothing here judges more than one frame at a time.

/** Bytes of a frame header. */
export const HEADER_LENGTH = 8
/** Longest payload of DATA, bytes: one read of a socket. */
export const MAX_DATA = 65_536
/** Longest request in OPEN, bytes: a host name or a DNS question. */
export const MAX_REQUEST = 4_096
/** Longest payload of any frame except DATA. */
export const MAX_CONTROL = MAX_REQUEST + 4
/** Largest stream id; 2³¹ − 1 keeps ids in V8's small integers. */
export const MAX_STREAM_ID = 0x7fff_ffff
/** What the opener of a stream may send before the first CREDIT, bytes. */
export const OPENER_CREDIT = 8_192

export const DATA = 0
export const OPEN = 1
export const CREDIT = 2
export const FIN = 3
export const RESET = 4
export const PING = 5
export const PONG = 6
export const GOAWAY = 7
export const ACK = 8
export const RETURN = 9

/** Why a stream ended early. `closed` is never on the wire: the session ended under the stream. */
export type ResetCode = 'reset' | 'cancel' | 'limit' | 'refused' | 'internal' | 'closed'
const RESET_CODES: ResetCode[] = ['closed', 'reset', 'cancel', 'limit', 'refused', 'internal']

/** Why a session ended. `lost` is never on the wire: the carrier ended without GOAWAY. */
export type GoAwayCode =
  | 'done'
  | 'protocol'
  | 'credit'
  | 'flood'
  | 'timeout'
  | 'internal'
  | 'replaced'
  | 'exhausted'
  | 'lost'
const GOAWAY_CODES: GoAwayCode[] = [
  'done',
  'protocol',
  'credit',
  'flood',
  'timeout',
  'internal',
  'replaced',
  'exhausted',
  'lost'
]

export function resetNumber(code: ResetCode): number {
  return RESET_CODES.indexOf(code === 'closed' ? 'reset' : code)
}

/** A number that is not known counts as `reset`. */
export function resetCode(number: number): ResetCode {
  return number === 0 ? 'reset' : (RESET_CODES[number] ?? 'reset')
}

export function goAwayNumber(code: GoAwayCode): number {
  return code === 'lost' ? 0 : GOAWAY_CODES.indexOf(code)
}

/** A number that is not known counts as `internal`. */
export function goAwayCode(number: number): GoAwayCode {
  const code = GOAWAY_CODES[number]
  return code === undefined || code === 'lost' ? 'internal' : code
}

/** Whether such a frame may exist at all: the table of spec.md. */
export function validHeader(type: number, length: number, id: number): boolean {
  switch (type) {
    case DATA:
      return length > 0 && length <= MAX_DATA && isStream(id)
    case OPEN:
      return length >= 4 && length <= MAX_CONTROL && isStream(id)
    case CREDIT:
    case RETURN:
    case RESET:
      return length === 4 && isStream(id)
    case FIN:
      return length === 0 && isStream(id)
    case PING:
    case PONG:
    case ACK:
      return length === 8 && id === 0
    case GOAWAY:
      return length === 4 && id === 0
    default:
      return false
  }
}

function isStream(id: number): boolean {
  return id > 0 && id <= MAX_STREAM_ID
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** `value` as four bytes of their own. */
export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  setU32(bytes, 0, value)
  return bytes
}

/** Up to 2⁵³ exact, which are 9 PB: more than a carrier lives to see. */
export function u64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) * 2 ** 32 + u32(bytes, at + 4)
}

export function setU64(bytes: Uint8Array, at: number, value: number): void {
  setU32(bytes, at, Math.floor(value / 2 ** 32))
  setU32(bytes, at + 4, value >>> 0)
}

/** Write a header at `at`; `length` counts the payload. */
export function writeHeader(bytes: Uint8Array, at: number, type: number, length: number, id: number): void {
  setU32(bytes, at, ((type << 24) | length) >>> 0)
  setU32(bytes, at + 4, id)
}
