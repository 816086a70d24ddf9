// RFC 768: a UDP datagram, read and written where it lies.
import { setU16, u16 } from './bytes.ts'

export const UDP_HEADER_LENGTH = 8
/** Where the checksum lies in the header. */
export const UDP_CHECKSUM = 6

/** A view of one datagram; moves from packet to packet. */
export class UdpView {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0

  /**
   * Move to the datagram in `bytes[start, end)`. False if none can lie there; then ask nothing else. A length of 0 means
   * "all that is there" (RFC 2675), as does the length of a super-datagram, which covers all of its datagrams.
   */
  wrap(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.start = start
    this.end = end
    if (end - start < UDP_HEADER_LENGTH) return false
    const length = u16(bytes, start + 4)
    if (length === 0) return true
    this.end = start + length
    return length >= UDP_HEADER_LENGTH && this.end <= end
  }

  get sourcePort(): number {
    return u16(this.bytes, this.start)
  }
  get destinationPort(): number {
    return u16(this.bytes, this.start + 2)
  }
  /** Where the payload begins in `bytes`; it ends at `end`. */
  get payload(): number {
    return this.start + UDP_HEADER_LENGTH
  }
}

/** Write a header in front of a payload; `length` counts both. The checksum field stays 0 for its owner to fill. */
export function emitUdp(
  bytes: Uint8Array,
  start: number,
  sourcePort: number,
  destinationPort: number,
  length: number
): void {
  setU16(bytes, start, sourcePort)
  setU16(bytes, start + 2, destinationPort)
  setU16(bytes, start + 4, length)
  setU16(bytes, start + UDP_CHECKSUM, 0)
}
