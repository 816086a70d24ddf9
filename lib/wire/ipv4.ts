// RFC 791 §3.1: the IPv4 header, read and written where it lies.

import { setU16, setU32, u8, u16 } from './bytes.ts'
import { add, finish } from './checksum.ts'

export const IPV4_HEADER_LENGTH = 20
/** Both addresses lie side by side: the source at this offset, the destination behind it. */
export const IPV4_ADDRESSES = 12

const DONT_FRAGMENT = 0x4000
const MORE_FRAGMENTS = 0x2000
const DEFAULT_TTL = 64

/** A view of one IPv4 packet; moves from packet to packet. */
export class Ipv4View {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  /** Where the packet ends by its own total length; what lies behind is not part of it. */
  end = 0

  /** Move to the packet in `bytes[start, end)`. False if none can lie there; then ask nothing else. */
  wrap(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.start = start
    this.end = start
    if (end - start < IPV4_HEADER_LENGTH || u8(bytes, start) >> 4 !== 4) return false
    this.end = start + u16(bytes, start + 2)
    return this.headerLength >= IPV4_HEADER_LENGTH && this.end <= end && start + this.headerLength <= this.end
  }

  /** With options, 20 to 60. */
  get headerLength(): number {
    return (u8(this.bytes, this.start) & 0x0f) * 4
  }
  get identification(): number {
    return u16(this.bytes, this.start + 4)
  }
  /** True for every fragment, the first and the last included. */
  get fragmented(): boolean {
    return (u16(this.bytes, this.start + 6) & 0x3fff) !== 0
  }
  get moreFragments(): boolean {
    return (u16(this.bytes, this.start + 6) & MORE_FRAGMENTS) !== 0
  }
  /** In bytes. */
  get fragmentOffset(): number {
    return (u16(this.bytes, this.start + 6) & 0x1fff) * 8
  }
  get protocol(): number {
    return u8(this.bytes, this.start + 9)
  }
  /** Where the payload begins in `bytes`. */
  get payload(): number {
    return this.start + this.headerLength
  }
}

/**
 * Write a header without options to `bytes[start, start + 20)`, for a packet that must not be fragmented on its way.
 * `addresses` is source and destination, 8 bytes; `length` counts the header too. The header checksum is complete.
 */
export function emitIpv4(
  bytes: Uint8Array,
  start: number,
  addresses: Uint8Array,
  protocol: number,
  length: number
): void {
  setU16(bytes, start, 0x4500)
  setU16(bytes, start + 2, length)
  setU32(bytes, start + 4, DONT_FRAGMENT) // RFC 6864 §4: an atomic packet needs no identification
  setU16(bytes, start + 8, (DEFAULT_TTL << 8) | protocol)
  bytes.set(addresses, start + IPV4_ADDRESSES)
  sumIpv4(bytes, start)
}

/** Turn the header at `start` into that of a fragment. `offset` in bytes, a multiple of 8; `length` with the header. */
export function emitIpv4Fragment(
  bytes: Uint8Array,
  start: number,
  length: number,
  identification: number,
  offset: number,
  more: boolean
): void {
  setU16(bytes, start + 2, length)
  setU16(bytes, start + 4, identification)
  setU16(bytes, start + 6, (more ? MORE_FRAGMENTS : 0) | (offset >> 3))
  sumIpv4(bytes, start)
}

function sumIpv4(bytes: Uint8Array, start: number): void {
  setU16(bytes, start + 10, 0)
  setU16(bytes, start + 10, finish(add(0, bytes, start, start + IPV4_HEADER_LENGTH)))
}
