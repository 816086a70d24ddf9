// The addresses and ports of one conversation, in the form in which packets carry them.
import { formatAddress } from '../wire/address.ts'
import { i32 } from '../wire/bytes.ts'
import { addressesOf, type IpView, ipHeaderLength, pseudoHeaderSum, swapped } from '../wire/ip.ts'

/** Source is the laptop's side, destination the cluster's, as in the packet that began the conversation. */
export class Path {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly hash: number
  /** Source and destination as they arrive, 8 or 32 bytes. */
  readonly arriving: Uint8Array
  /** The same for packets that leave: destination and source. */
  readonly leaving: Uint8Array
  readonly headerLength: number
  /** What addresses and protocol add to a checksum; the transport length is missing. */
  readonly pseudoSum: number

  constructor(packet: IpView, sourcePort: number, destinationPort: number) {
    this.sourcePort = sourcePort
    this.destinationPort = destinationPort
    this.hash = hashOf(packet, sourcePort, destinationPort)
    this.arriving = addressesOf(packet)
    this.leaving = swapped(this.arriving)
    this.headerLength = ipHeaderLength(this.arriving)
    this.pseudoSum = pseudoHeaderSum(this.arriving, packet.protocol)
  }

  get version(): 4 | 6 {
    return this.arriving.length === 8 ? 4 : 6
  }
  get source(): string {
    return formatAddress(this.arriving, 0, this.arriving.length / 2)
  }
  get destination(): string {
    return formatAddress(this.arriving, this.arriving.length / 2, this.arriving.length / 2)
  }

  /** Does the packet belong to this conversation? */
  is(packet: IpView, sourcePort: number, destinationPort: number): boolean {
    if (sourcePort !== this.sourcePort || destinationPort !== this.destinationPort) return false
    const { arriving } = this
    if (arriving.length !== 2 * packet.addressLength) return false
    for (let i = 0; i < arriving.length; i += 4) {
      if (i32(arriving, i) !== i32(packet.bytes, packet.addresses + i)) return false
    }
    return true
  }
}

/** Spreads 4-tuples over 32 bits; multiplicative, by the golden ratio. */
export function hashOf(packet: IpView, sourcePort: number, destinationPort: number): number {
  const { bytes, addresses, addressLength } = packet
  let hash = (sourcePort << 16) | destinationPort
  for (let i = 0; i < 2 * addressLength; i += 4) {
    hash = Math.imul(hash ^ i32(bytes, addresses + i), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash
}
