// DNS messages, RFC 1035 §4: questions and records, read where they lie.
import { formatAddress, parseAddress } from '../wire/address.ts'

export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41 } as const
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const
export const CLASS_IN = 1

/** The mnemonic of a record type as dns-packet has it, for the types that programs ask for; else `UNKNOWN_n`. */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `UNKNOWN_${type}`
}

/** The number of a mnemonic in any case, or of `TYPEn` (RFC 3597 §5); undefined if it is neither. */
export function typeNumber(name: string): number | undefined {
  const wanted = name.toUpperCase()
  for (const [number, each] of TYPE_NAMES) if (each === wanted) return number
  const [, digits] = /^TYPE(\d{1,5})$/.exec(wanted) ?? []
  return digits !== undefined && Number(digits) <= 0xffff ? Number(digits) : undefined
}

const TYPE_NAMES = new Map<number, string>([
  ...Object.entries(TYPE).map(([name, type]): [number, string] => [type, name]),
  [15, 'MX'],
  [35, 'NAPTR'],
  [255, 'ANY']
])

export const HEADER_LENGTH = 12
/** Flags of the header. */
export const QR = 0x8000
export const TC = 0x0200

/** What EDNS (RFC 6891) says in a question. */
export interface Edns {
  /** UDP bytes that the asker takes. */
  size: number
  version: number
  /** DO: it wants DNSSEC records. */
  dnssecOk: boolean
}

export interface Question {
  /** Lower case, no final dot, '' for the root; odd bytes as `\DDD` (RFC 4343 §2.1), so that they equal no other name. */
  name: string
  type: number
  class: number
  /** Index of the first byte behind the question. */
  end: number
  edns: Edns | undefined
}

/** A record where it lies in a message. */
export interface RecordView {
  section: 'answer' | 'authority' | 'additional'
  type: number
  class: number
  /** Seconds. */
  ttl: number
  /** Index of the four bytes of the TTL. */
  ttlAt: number
  dataAt: number
  dataLength: number
}

/** The question of a message; an rcode if it is none that can be answered; undefined if nothing is to be answered at all. */
export function readQuestion(message: Uint8Array): Question | number | undefined {
  if (message.length < HEADER_LENGTH || (u16(message, 2) & QR) !== 0) return undefined
  if (((u16(message, 2) >> 11) & 0xf) !== 0) return RCODE.NOTIMP
  if (u16(message, 4) !== 1) return RCODE.FORMERR
  const name = readName(message, HEADER_LENGTH)
  if (name === undefined || name.end + 4 > message.length) return RCODE.FORMERR
  const records = readRecords(message)
  if (records === undefined) return RCODE.FORMERR
  const opt = records.find(record => record.type === TYPE.OPT)
  return {
    name: name.text,
    type: u16(message, name.end),
    class: u16(message, name.end + 2),
    end: name.end + 4,
    // RFC 6891 §6.1.2: class and TTL of an OPT record are other things.
    edns: opt && { size: opt.class, version: (opt.ttl >>> 16) & 0xff, dnssecOk: (opt.ttl & 0x8000) !== 0 }
  }
}

/** The records of a message; undefined if it is cut off or broken. */
export function readRecords(message: Uint8Array): RecordView[] | undefined {
  if (message.length < HEADER_LENGTH) return undefined
  let at = HEADER_LENGTH
  for (let n = u16(message, 4); n > 0; n--) {
    at = skipName(message, at) + 4
    if (at < HEADER_LENGTH || at > message.length) return undefined
  }
  const records: RecordView[] = []
  for (const [i, section] of (['answer', 'authority', 'additional'] as const).entries()) {
    for (let n = u16(message, 6 + 2 * i); n > 0; n--) {
      const fixed = skipName(message, at)
      if (fixed < 0 || fixed + 10 > message.length) return undefined
      const dataLength = u16(message, fixed + 8)
      const dataAt = fixed + 10
      at = dataAt + dataLength
      if (at > message.length) return undefined
      const ttl = ((u16(message, fixed + 4) << 16) | u16(message, fixed + 6)) >>> 0
      records.push({
        section,
        type: u16(message, fixed),
        class: u16(message, fixed + 2),
        ttl,
        ttlAt: fixed + 4,
        dataAt,
        dataLength
      })
    }
  }
  return records
}

/** The addresses in all A and AAAA records of a message. */
export function addressesIn(message: Uint8Array): string[] {
  return (readRecords(message) ?? [])
    .filter(
      ({ type, dataLength }) => (type === TYPE.A && dataLength === 4) || (type === TYPE.AAAA && dataLength === 16)
    )
    .map(({ dataAt, dataLength }) => formatAddress(message, dataAt, dataLength))
}

/** Replace the address in each A and AAAA record of a message, in place; one of the other family is left. */
export function replaceAddresses(message: Uint8Array, replacement: (address: string) => string): void {
  for (const { type, dataAt, dataLength } of readRecords(message) ?? []) {
    if (!((type === TYPE.A && dataLength === 4) || (type === TYPE.AAAA && dataLength === 16))) continue
    const address = formatAddress(message, dataAt, dataLength)
    const bytes = parseAddress(replacement(address))
    if (bytes?.length === dataLength) message.set(bytes, dataAt)
  }
}

export const rcodeOf = (message: Uint8Array): number => (message.length < HEADER_LENGTH ? -1 : u16(message, 2) & 0xf)
/** RFC 1035 §4.1.1: QR says what is an answer and what a question. */
export const isAnswer = (message: Uint8Array): boolean =>
  message.length >= HEADER_LENGTH && (u16(message, 2) & QR) !== 0
export const isTruncated = (message: Uint8Array): boolean => (u16(message, 2) & TC) !== 0

/** A name without compression, as a question has it. */
function readName(message: Uint8Array, start: number): { text: string; end: number } | undefined {
  const labels: string[] = []
  let at = start
  for (;;) {
    const length = message[at]
    if (length === undefined || length > 63 || at + 1 - start > 255) return undefined
    at++
    if (length === 0) return { text: labels.join('.'), end: at }
    if (at + length > message.length) return undefined
    labels.push(readLabel(message, at, at + length))
    at += length
  }
}

function readLabel(message: Uint8Array, from: number, to: number): string {
  const label = Buffer.from(message.buffer, message.byteOffset + from, to - from).toString('latin1')
  const odd = /[^!-~]|[.\\]/g
  return label.toLowerCase().replace(odd, byte => `\\${byte.charCodeAt(0).toString().padStart(3, '0')}`)
}

/** Index behind the name at `at`; negative if it is cut off. A pointer ends a name. */
export function skipName(message: Uint8Array, at: number): number {
  while (at >= 0 && at < message.length) {
    const length = message[at] ?? 0
    if (length >= 0xc0) return at + 2
    if (length > 63) return -HEADER_LENGTH
    at += length + 1
    if (length === 0) return at
  }
  return -HEADER_LENGTH
}

/** Network byte order; what lies behind the end counts as 0. */
export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}
