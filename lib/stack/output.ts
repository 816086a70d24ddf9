// Everything that leaves: IP header, checksum or the order to compute it, and the one buffer all packets are written in.

import type { Device, Offload } from '../tun/device.ts'
import { setU16 } from '../wire/bytes.ts'
import { add, finish, fold } from '../wire/checksum.ts'
import { emitEchoReply, emitUnreachable, ICMP_HEADER_LENGTH } from '../wire/icmp.ts'
import { emitIp, ICMP, ICMPV6, ipHeaderLength, pseudoHeaderSum, TCP, UDP } from '../wire/ip.ts'
import { emitIpv4Fragment } from '../wire/ipv4.ts'
import { emitIpv6, emitIpv6Fragment, IPV6_FRAGMENT, IPV6_FRAGMENT_LENGTH, IPV6_HEADER_LENGTH } from '../wire/ipv6.ts'
import { CHECKSUM_OFFSET, TcpView } from '../wire/tcp.ts'
import { emitUdp, UDP_CHECKSUM, UDP_HEADER_LENGTH } from '../wire/udp.ts'
import type { Path } from './path.ts'
import type { StackStats } from './stats.ts'

/** The longest packet: an IPv6 header and the longest payload that its length field can tell. */
const MAX_PACKET = IPV6_HEADER_LENGTH + 65_535
/** The longest IPv4 packet; transport and payload of IPv6 have the same limit. */
const MAX_LENGTH = 65_535
/** Enough for the headroom of any device. */
const HEADROOM = 64
/** The quoted start of a packet in an ICMP error: its IP header and these bytes, which hold ports and sequence number. */
const QUOTED_BYTES = 8

/** What came back of an ICMP echo request is of this shape. */
export interface EchoAnswer {
  /** Destination and source of the request, in this order. */
  readonly leaving: Uint8Array
  /** The request's ICMP message. */
  readonly message: Uint8Array
}

export class Output {
  readonly #device: Device
  readonly #stats: StackStats
  readonly #bytes: Uint8Array = new Uint8Array(HEADROOM + MAX_PACKET)
  readonly #offload: Offload = { checksumStart: 0, checksumOffset: 0, segmentSize: 0, headerLength: 0 }
  readonly #segment: TcpView = new TcpView()
  /** Made when the first packet has to be cut up. */
  #fragment: Uint8Array | undefined
  #identification = 0

  constructor(device: Device, stats: StackStats) {
    if (device.headroom > HEADROOM) throw new Error(`a headroom of ${device.headroom} bytes is more than ${HEADROOM}`)
    this.#device = device
    this.#stats = stats
  }

  /** The view a segment of this path is to be written through; `sendSegment` then sends what was written. */
  segmentFor(path: Path): TcpView {
    const view = this.#segment
    view.wrap(this.#bytes, HEADROOM + path.headerLength, HEADROOM + MAX_LENGTH)
    return view
  }

  /** Send the segment in the view of `segmentFor`; text longer than `mss` is cut up by the device. */
  sendSegment(path: Path, mss: number): void {
    const { start, end } = this.#segment
    const offload = this.#offload
    const textLength = this.#segment.textLength
    emitIp(this.#bytes, HEADROOM, path.leaving, TCP, path.headerLength + end - start)
    offload.segmentSize = textLength > mss ? mss : 0
    offload.headerLength = path.headerLength + end - start - textLength
    this.#checksum(path.pseudoSum, start, end, CHECKSUM_OFFSET)
    this.#write(HEADROOM, end)
  }

  /** Send a datagram; false if no packet is long enough for it. */
  sendDatagram(path: Path, payload: Uint8Array): boolean {
    const start = HEADROOM + path.headerLength
    const length = UDP_HEADER_LENGTH + payload.length
    if (length > MAX_LENGTH - (path.version === 4 ? path.headerLength : 0)) return false
    emitUdp(this.#bytes, start, path.destinationPort, path.sourcePort, length)
    this.#bytes.set(payload, start + UDP_HEADER_LENGTH)
    this.#offload.segmentSize = 0
    this.#offload.headerLength = path.headerLength + UDP_HEADER_LENGTH
    this.#checksum(path.pseudoSum, start, start + length, UDP_CHECKSUM)
    this.#sendWhole(path.leaving, UDP, length)
    return true
  }

  /** Send the answer to an echo request. */
  sendEchoReply({ leaving, message }: EchoAnswer): void {
    const start = HEADROOM + ipHeaderLength(leaving)
    const end = start + message.length
    this.#bytes.set(message, start)
    const [version, protocol] = icmpOf(leaving)
    emitEchoReply(this.#bytes, start, end, version, icmpSum(leaving, message.length))
    this.#complete()
    this.#sendWhole(leaving, protocol, message.length)
  }

  /** Tell the laptop that the packet with this protocol and sequence number (of TCP; else 0) did not reach host or port. */
  sendUnreachable(path: Path, what: 'host' | 'port', protocol: typeof TCP | typeof UDP, seq: number): void {
    const { leaving, headerLength } = path
    const start = HEADROOM + headerLength
    const quoted = start + ICMP_HEADER_LENGTH
    const ports = quoted + headerLength
    const end = ports + QUOTED_BYTES
    const transportLength = protocol === TCP ? 20 : UDP_HEADER_LENGTH
    // The quoted packet is written anew: what the kernel finds its socket by is in the path.
    emitIp(this.#bytes, quoted, path.arriving, protocol, headerLength + transportLength)
    setU16(this.#bytes, ports, path.sourcePort)
    setU16(this.#bytes, ports + 2, path.destinationPort)
    setU16(this.#bytes, ports + 4, protocol === TCP ? seq >>> 16 : transportLength)
    setU16(this.#bytes, ports + 6, protocol === TCP ? seq & 0xffff : 0)
    const [version, icmp] = icmpOf(leaving)
    emitUnreachable(this.#bytes, start, end, version, what, icmpSum(leaving, end - start))
    this.#complete()
    emitIp(this.#bytes, HEADROOM, leaving, icmp, end - HEADROOM)
    this.#write(HEADROOM, end)
  }

  /** Fill in the checksum of the transport in `[start, end)`, or let the device do it. */
  #checksum(pseudoSum: number, start: number, end: number, at: number): void {
    const bytes = this.#bytes
    const sum = pseudoSum + end - start
    if (this.#device.offload) {
      this.#offload.checksumStart = start - HEADROOM
      this.#offload.checksumOffset = at
      setU16(bytes, start + at, fold(sum))
      return
    }
    this.#complete()
    setU16(bytes, start + at, 0)
    // A UDP checksum of 0 would mean "none" (RFC 768); 0xffff is the same number. For TCP it does no harm.
    setU16(bytes, start + at, finish(add(sum, bytes, start, end)) || 0xffff)
  }

  /** The packet needs nothing from the device. */
  #complete(): void {
    const offload = this.#offload
    offload.checksumStart = 0
    offload.checksumOffset = 0
    offload.segmentSize = 0
    offload.headerLength = 0
  }

  /**
   * Send what lies behind the room for the IP header. A device with offload takes it in one piece whatever the MTU: it goes
   * to a socket of this computer, and the MTU is a limit for links.
   */
  #sendWhole(leaving: Uint8Array, protocol: number, length: number): void {
    const headerLength = ipHeaderLength(leaving)
    const total = headerLength + length
    if (!this.#device.offload && total > this.#device.mtu) {
      this.#sendFragments(leaving, protocol, length)
      return
    }
    emitIp(this.#bytes, HEADROOM, leaving, protocol, total)
    this.#write(HEADROOM, HEADROOM + total)
  }

  /** RFC 791 §2.3 and RFC 8200 §4.5: pieces of a multiple of eight bytes. The checksum is complete already. */
  #sendFragments(leaving: Uint8Array, protocol: number, length: number): void {
    const headerLength = ipHeaderLength(leaving)
    const v6 = headerLength === IPV6_HEADER_LENGTH
    const payload = HEADROOM + headerLength
    const before = headerLength + (v6 ? IPV6_FRAGMENT_LENGTH : 0)
    const most = (this.#device.mtu - before) & ~7
    this.#fragment ??= new Uint8Array(HEADROOM + MAX_PACKET)
    const fragment = this.#fragment
    this.#identification = (this.#identification + 1) & 0xffff
    for (let offset = 0; offset < length; offset += most) {
      const n = Math.min(most, length - offset)
      const more = offset + n < length
      if (v6) {
        emitIpv6(fragment, HEADROOM, leaving, IPV6_FRAGMENT, before + n)
        emitIpv6Fragment(fragment, HEADROOM + headerLength, protocol, this.#identification, offset, more)
      } else {
        emitIp(fragment, HEADROOM, leaving, protocol, before + n)
        emitIpv4Fragment(fragment, HEADROOM, before + n, this.#identification, offset, more)
      }
      fragment.set(this.#bytes.subarray(payload + offset, payload + offset + n), HEADROOM + before)
      this.#write(HEADROOM, HEADROOM + before + n, fragment)
    }
  }

  #write(start: number, end: number, bytes: Uint8Array = this.#bytes): void {
    const stats = this.#stats
    if (this.#device.write(bytes, start, end, this.#offload)) {
      stats.packetsOut++
      stats.bytesOut += end - start
    } else {
      stats.refusedByDevice++
    }
  }
}

function icmpOf(addresses: Uint8Array): [4, typeof ICMP] | [6, typeof ICMPV6] {
  return addresses.length === 8 ? [4, ICMP] : [6, ICMPV6]
}

/** ICMPv6 sums a pseudo-header too, ICMP does not. */
function icmpSum(addresses: Uint8Array, length: number): number {
  return addresses.length === 8 ? 0 : pseudoHeaderSum(addresses, ICMPV6) + length
}
