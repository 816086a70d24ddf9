// RFC 792 and RFC 4443: the messages of ICMP and ICMPv6 which the stack reads and writes.
import { setU16, setU32, u8, u16 } from './bytes.ts'
import { add, finish } from './checksum.ts'

export const ICMP_HEADER_LENGTH = 8

/** Type numbers by IP version: the two protocols mean the same and number it differently. */
export const ECHO_REQUEST: { readonly 4: number; readonly 6: number } = { 4: 8, 6: 128 }
export const ECHO_REPLY: { readonly 4: number; readonly 6: number } = { 4: 0, 6: 129 }
const UNREACHABLE = { 4: 3, 6: 1 } as const

/** The codes of "unreachable": RFC 792 and RFC 4443 §3.1. */
const CODES = { host: { 4: 1, 6: 3 }, port: { 4: 3, 6: 4 } } as const

/** A view of one message; moves from packet to packet. */
export class IcmpView {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0

  /** Move to the message in `bytes[start, end)`. False if none can lie there; then ask nothing else. */
  wrap(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.start = start
    this.end = end
    return end - start >= ICMP_HEADER_LENGTH
  }

  get type(): number {
    return u8(this.bytes, this.start)
  }
  get code(): number {
    return u8(this.bytes, this.start + 1)
  }
  /** Of an echo: identifier and sequence number. */
  get identifier(): number {
    return u16(this.bytes, this.start + 4)
  }
  get sequence(): number {
    return u16(this.bytes, this.start + 6)
  }
}

/** Turn an echo request in `bytes[start, end)` into its reply. `sum` is the pseudo-header's (ICMPv6), else 0. */
export function emitEchoReply(bytes: Uint8Array, start: number, end: number, version: 4 | 6, sum: number): void {
  setU16(bytes, start, ECHO_REPLY[version] << 8)
  finishIcmp(bytes, start, end, sum)
}

/** Write the header of a "destination unreachable" in front of the start of the packet it is about. */
export function emitUnreachable(
  bytes: Uint8Array,
  start: number,
  end: number,
  version: 4 | 6,
  what: 'host' | 'port',
  sum: number
): void {
  setU16(bytes, start, (UNREACHABLE[version] << 8) | CODES[what][version])
  setU32(bytes, start + 4, 0)
  finishIcmp(bytes, start, end, sum)
}

function finishIcmp(bytes: Uint8Array, start: number, end: number, sum: number): void {
  setU16(bytes, start + 2, 0)
  setU16(bytes, start + 2, finish(add(sum, bytes, start, end)))
}
