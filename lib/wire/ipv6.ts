// RFC 8200: the IPv6 header and its extension headers, read and written where they lie.
import { setU16, setU32, u8, u16, u32 } from './bytes.ts'

export const IPV6_HEADER_LENGTH = 40
export const IPV6_FRAGMENT_LENGTH = 8
/** Both addresses lie side by side: the source at this offset, the destination behind it. */
export const IPV6_ADDRESSES = 8

const HOP_BY_HOP = 0
const ROUTING = 43
export const IPV6_FRAGMENT = 44
const AUTHENTICATION = 51
const DESTINATION_OPTIONS = 60
const DEFAULT_HOP_LIMIT = 64

/** Extension headers that are walked; a packet with more is dropped. RFC 8504 §5.3 allows such a limit. */
const MAX_EXTENSION_HEADERS = 8

/** A view of one IPv6 packet; moves from packet to packet. What `wrap` finds in the extension headers is kept. */
export class Ipv6View {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  /** Where the packet ends by its own payload length; what lies behind is not part of it. */
  end = 0
  /** The transport protocol behind all extension headers; in a fragment, the header behind the fragment header. */
  protocol = 0
  /** Where the transport header begins in `bytes`; in a fragment, where the fragment's bytes begin. */
  payload = 0
  /** Where the fragment header lies, or 0. */
  fragmentHeader = 0

  /** Move to the packet in `bytes[start, end)`. False if none can lie there; then ask nothing else. */
  wrap(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.start = start
    this.end = start
    this.fragmentHeader = 0
    if (end - start < IPV6_HEADER_LENGTH || u8(bytes, start) >> 4 !== 6) return false
    this.end = start + IPV6_HEADER_LENGTH + u16(bytes, start + 4)
    // A jumbogram (payload length 0) does not come out of a TUN: what has no length has no payload.
    return this.end <= end && this.#walk()
  }

  /** RFC 8200 §4: header after header until the transport. Also true in front of a fragment's bytes. */
  #walk(): boolean {
    const { bytes } = this
    this.protocol = u8(bytes, this.start + 6)
    let at = this.start + IPV6_HEADER_LENGTH
    for (let n = 0; n <= MAX_EXTENSION_HEADERS; n++) {
      this.payload = at
      if (!isExtension(this.protocol)) return true
      if (at + 8 > this.end) return false
      const next = u8(bytes, at)
      if (this.protocol === IPV6_FRAGMENT) {
        this.fragmentHeader = at
        this.protocol = next
        at += IPV6_FRAGMENT_LENGTH
        this.payload = at
        // Only the first fragment holds the headers behind: of the others nothing more can be told.
        if (this.fragmented) return true
        continue
      }
      at += this.protocol === AUTHENTICATION ? (u8(bytes, at + 1) + 2) * 4 : (u8(bytes, at + 1) + 1) * 8
      if (at > this.end) return false
      this.protocol = next
    }
    return false
  }

  /** True for every fragment. An "atomic" one, RFC 6946, is whole and counts as none. */
  get fragmented(): boolean {
    return this.fragmentHeader !== 0 && (u16(this.bytes, this.fragmentHeader + 2) & 0xfff9) !== 0
  }
  get moreFragments(): boolean {
    return this.fragmentHeader !== 0 && (u16(this.bytes, this.fragmentHeader + 2) & 1) !== 0
  }
  /** In bytes. */
  get fragmentOffset(): number {
    return this.fragmentHeader === 0 ? 0 : u16(this.bytes, this.fragmentHeader + 2) & 0xfff8
  }
  get identification(): number {
    return this.fragmentHeader === 0 ? 0 : u32(this.bytes, this.fragmentHeader + 4)
  }
}

function isExtension(protocol: number): boolean {
  return (
    protocol === HOP_BY_HOP ||
    protocol === ROUTING ||
    protocol === IPV6_FRAGMENT ||
    protocol === AUTHENTICATION ||
    protocol === DESTINATION_OPTIONS
  )
}

/**
 * Write a header to `bytes[start, start + 40)`. `addresses` is source and destination, 32 bytes; `length` counts the
 * header too, so that it means the same as for IPv4.
 */
export function emitIpv6(
  bytes: Uint8Array,
  start: number,
  addresses: Uint8Array,
  protocol: number,
  length: number
): void {
  setU32(bytes, start, 0x60000000)
  setU16(bytes, start + 4, length - IPV6_HEADER_LENGTH)
  setU16(bytes, start + 6, (protocol << 8) | DEFAULT_HOP_LIMIT)
  bytes.set(addresses, start + IPV6_ADDRESSES)
}

/** Write a fragment header at `at`; the header in front of it must name protocol 44. `offset` in bytes, a multiple of 8. */
export function emitIpv6Fragment(
  bytes: Uint8Array,
  at: number,
  protocol: number,
  identification: number,
  offset: number,
  more: boolean
): void {
  setU16(bytes, at, protocol << 8)
  setU16(bytes, at + 2, offset | (more ? 1 : 0))
  setU32(bytes, at + 4, identification)
}
