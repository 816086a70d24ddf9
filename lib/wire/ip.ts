// An IP packet of either version, seen as one: what the layers above need of it and no more.

import { formatAddress, IPV4_LENGTH, IPV6_LENGTH } from './address.ts'
import { u8, u32 } from './bytes.ts'
import { addPseudoHeader } from './checksum.ts'
import { emitIpv4, IPV4_ADDRESSES, IPV4_HEADER_LENGTH, Ipv4View } from './ipv4.ts'
import { emitIpv6, IPV6_ADDRESSES, IPV6_HEADER_LENGTH, Ipv6View } from './ipv6.ts'

export const ICMP = 1
export const TCP = 6
export const UDP = 17
export const ICMPV6 = 58

/** A view of one packet; moves from packet to packet. All fields are valid after a `wrap` that was true. */
export class IpView {
  readonly v4: Ipv4View = new Ipv4View()
  readonly v6: Ipv6View = new Ipv6View()
  bytes: Uint8Array = new Uint8Array(0)
  version: 4 | 6 = 4
  start = 0
  end = 0
  protocol = 0
  /** Where the transport header begins in `bytes`; in a fragment, where its bytes begin. */
  payload = 0
  /** Where source and destination lie, side by side, `addressLength` bytes each. */
  addresses = 0
  addressLength: typeof IPV4_LENGTH | typeof IPV6_LENGTH = IPV4_LENGTH
  fragmented: boolean = false

  /** Move to the packet in `bytes[start, end)`. False if none can lie there; then ask nothing else. */
  wrap(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.start = start
    if (start >= end) return false
    if (u8(bytes, start) >> 4 === 6) return this.#wrap6(bytes, start, end)
    const { v4 } = this
    if (!v4.wrap(bytes, start, end)) return false
    this.version = 4
    this.end = v4.end
    this.protocol = v4.protocol
    this.payload = v4.payload
    this.addresses = start + IPV4_ADDRESSES
    this.addressLength = IPV4_LENGTH
    this.fragmented = v4.fragmented
    return true
  }

  #wrap6(bytes: Uint8Array, start: number, end: number): boolean {
    const { v6 } = this
    if (!v6.wrap(bytes, start, end)) return false
    this.version = 6
    this.end = v6.end
    this.protocol = v6.protocol
    this.payload = v6.payload
    this.addresses = start + IPV6_ADDRESSES
    this.addressLength = IPV6_LENGTH
    this.fragmented = v6.fragmented
    return true
  }

  get source(): string {
    return formatAddress(this.bytes, this.addresses, this.addressLength)
  }
  get destination(): string {
    return formatAddress(this.bytes, this.addresses + this.addressLength, this.addressLength)
  }

  /** One host is meant, on both ends: not multicast, broadcast or the unspecified address. */
  get unicast(): boolean {
    const { bytes, addresses, addressLength } = this
    return isUnicast(bytes, addresses, addressLength) && isUnicast(bytes, addresses + addressLength, addressLength)
  }
}

function isUnicast(bytes: Uint8Array, at: number, length: number): boolean {
  const first = u8(bytes, at)
  // 240.0.0.0/4 is reserved (RFC 1112 §4), and hosts have addresses of it all the same: Linux allows that, and clusters do it.
  if (length === IPV4_LENGTH) return first !== 0 && (first < 224 || (first >= 240 && first !== 255))
  if (first === 0xff) return false
  return u32(bytes, at) !== 0 || u32(bytes, at + 4) !== 0 || u32(bytes, at + 8) !== 0 || u32(bytes, at + 12) !== 0
}

/** Bytes of the header that `emitIp` writes for addresses of this kind (8 or 32 bytes, both together). */
export function ipHeaderLength(addresses: Uint8Array): number {
  return addresses.length === 2 * IPV4_LENGTH ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH
}

/** Write the header of a packet of `length` bytes, header included, for source and destination in `addresses`. */
export function emitIp(
  bytes: Uint8Array,
  start: number,
  addresses: Uint8Array,
  protocol: number,
  length: number
): void {
  if (addresses.length === 2 * IPV4_LENGTH) emitIpv4(bytes, start, addresses, protocol, length)
  else emitIpv6(bytes, start, addresses, protocol, length)
}

/** The pseudo-header's sum without the transport length: the part that does not change in a conversation. */
export function pseudoHeaderSum(addresses: Uint8Array, protocol: number): number {
  return addPseudoHeader(0, addresses, 0, addresses.length, protocol, 0)
}

/** Source and destination the other way round, for the answer. */
export function swapped(addresses: Uint8Array): Uint8Array {
  const half = addresses.length / 2
  const answer = new Uint8Array(addresses.length)
  answer.set(addresses.subarray(half), 0)
  answer.set(addresses.subarray(0, half), half)
  return answer
}

/** Both addresses of the packet as one array of its own. */
export function addressesOf(packet: IpView): Uint8Array {
  // Not `slice`: that of a Buffer does not copy.
  return new Uint8Array(packet.bytes.subarray(packet.addresses, packet.addresses + 2 * packet.addressLength))
}
