// Packets as a laptop's kernel would make them, and what comes back, for tests without a kernel.
import { parseAddress } from '../../lib/wire/address.ts'
import { setU16, u16 } from '../../lib/wire/bytes.ts'
import { add, finish } from '../../lib/wire/checksum.ts'
import { emitIp, ICMP, ICMPV6, IpView, ipHeaderLength, pseudoHeaderSum, TCP, UDP } from '../../lib/wire/ip.ts'
import { HEADER_LENGTH, TcpView } from '../../lib/wire/tcp.ts'
import { emitUdp, UDP_CHECKSUM, UDP_HEADER_LENGTH } from '../../lib/wire/udp.ts'

/** Who speaks to whom. */
export interface Ends {
  source: string
  sourcePort: number
  destination: string
  destinationPort: number
}

export const ENDS: Ends = { source: '198.18.0.1', sourcePort: 40_000, destination: '10.96.0.7', destinationPort: 80 }
export const ENDS6: Ends = { ...ENDS, source: 'fd6b:7400::1', destination: 'fd00:96::7' }

export function addresses({ source, destination }: Ends): Uint8Array {
  const from = parseAddress(source)!
  const both = new Uint8Array(2 * from.length)
  both.set(from)
  both.set(parseAddress(destination)!, from.length)
  return both
}

/** A packet with this payload behind its IP header. */
export function packet(ends: Ends, protocol: number, payload: Uint8Array): Uint8Array {
  const both = addresses(ends)
  const headerLength = ipHeaderLength(both)
  const bytes = new Uint8Array(headerLength + payload.length)
  emitIp(bytes, 0, both, protocol, bytes.length)
  bytes.set(payload, headerLength)
  return bytes
}

const NONE = new Uint8Array(0)

/** A segment with a right checksum; `options` as they lie behind the header, a multiple of 4 bytes. */
export function segment(
  ends: Ends,
  flags: number,
  seq: number,
  ack: number,
  { text = NONE, options = NONE, wnd = 65_535 }: { text?: Uint8Array; options?: Uint8Array; wnd?: number } = {}
): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + options.length + text.length)
  bytes.set(options, HEADER_LENGTH)
  bytes.set(text, HEADER_LENGTH + options.length)
  const view = new TcpView()
  view.wrap(bytes, 0, bytes.length)
  view.bytes[12] = 0x50
  view.emit(ends.sourcePort, ends.destinationPort, seq, ack, flags, wnd, options.length)
  view.checksum = finish(add(pseudoHeaderSum(addresses(ends), TCP) + bytes.length, bytes, 0, bytes.length))
  return packet(ends, TCP, bytes)
}

export function datagram(ends: Ends, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(UDP_HEADER_LENGTH + payload.length)
  emitUdp(bytes, 0, ends.sourcePort, ends.destinationPort, bytes.length)
  bytes.set(payload, UDP_HEADER_LENGTH)
  const sum = pseudoHeaderSum(addresses(ends), UDP) + bytes.length
  setU16(bytes, UDP_CHECKSUM, finish(add(sum, bytes, 0, bytes.length)) || 0xffff)
  return packet(ends, UDP, bytes)
}

/** Is every checksum in this packet right? With `offload` that of TCP and UDP may be the device's to finish. */
export function checksumsRight(bytes: Uint8Array, checksumStart: number): boolean {
  const ip = new IpView()
  if (!ip.wrap(bytes, 0, bytes.length)) return false
  if (ip.version === 4 && finish(add(0, bytes, 0, ip.payload)) !== 0) return false
  const both = new Uint8Array(bytes.subarray(ip.addresses, ip.addresses + 2 * ip.addressLength))
  const length = ip.end - ip.payload
  const pseudo = ip.protocol === ICMP ? 0 : pseudoHeaderSum(both, ip.protocol) + length
  if (checksumStart === 0) return ip.fragmented || finish(add(pseudo, bytes, ip.payload, ip.end)) === 0
  // The field holds the folded pseudo-header sum: inverted, `finish` of the sum.
  const field = u16(bytes, ip.payload + (ip.protocol === TCP ? 16 : UDP_CHECKSUM))
  return ip.protocol !== ICMPV6 && checksumStart === ip.payload && field === (~finish(pseudo) & 0xffff)
}
