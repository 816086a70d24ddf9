// struct virtio_net_hdr of linux/virtio_net.h, ten bytes in front of each packet, little-endian on the machines we know.
import type { Offload } from './device.ts'

export const VNET_HEADER_LENGTH = 10

const NEEDS_CSUM = 1
const GSO_TCPV4 = 1
const GSO_TCPV6 = 4
const GSO_UDP_L4 = 5
/** Set beside the type on packets whose segments carry ECN; the type is what counts. */
const GSO_TYPE = 0x7f
const UDP_CHECKSUM_OFFSET = 6

/** The payload bytes per segment of the packet whose header lies at `at`, or 0 where it is one segment. */
export function vnetSegmentSize(bytes: Uint8Array, at: number): number {
  if ((bytes[at + 1]! & GSO_TYPE) === 0) return 0
  return bytes[at + 4]! | (bytes[at + 5]! << 8)
}

/** Write the header at `at` for the packet at `packet`. */
export function emitVnetHeader(bytes: Uint8Array, at: number, packet: number, offload: Offload): void {
  if (offload.checksumStart === 0) {
    bytes.fill(0, at, at + VNET_HEADER_LENGTH)
    return
  }
  bytes[at] = NEEDS_CSUM
  bytes[at + 1] = offload.segmentSize === 0 ? 0 : segmentType(bytes[packet]! >> 4, offload.checksumOffset)
  set16(bytes, at + 2, offload.segmentSize === 0 ? 0 : offload.headerLength)
  set16(bytes, at + 4, offload.segmentSize)
  set16(bytes, at + 6, offload.checksumStart)
  set16(bytes, at + 8, offload.checksumOffset)
}

function segmentType(version: number, checksumOffset: number): number {
  if (checksumOffset === UDP_CHECKSUM_OFFSET) return GSO_UDP_L4
  return version === 4 ? GSO_TCPV4 : GSO_TCPV6
}

function set16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}
