// The classic pcap file of raw IP packets, which Wireshark and tcpdump open.
// https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcap

/** Microseconds; big-endian, which readers tell by the magic number. */
const MAGIC = 0xa1b2c3d4
const LINKTYPE_RAW = 101
/** The longest packet there is. */
const SNAP_LENGTH = 65_535
const FILE_HEADER_LENGTH = 24
const RECORD_HEADER_LENGTH = 16

/** What a capture file begins with. */
export function pcapHeader(): Uint8Array {
  const header = new DataView(new ArrayBuffer(FILE_HEADER_LENGTH))
  header.setUint32(0, MAGIC)
  header.setUint16(4, 2) // version 2.4
  header.setUint16(6, 4)
  header.setUint32(16, SNAP_LENGTH)
  header.setUint32(20, LINKTYPE_RAW)
  return new Uint8Array(header.buffer)
}

/** The record of the packet in `bytes[start, end)`, as an array of its own. `timeMs` is milliseconds since 1970. */
export function pcapRecord(bytes: Uint8Array, start: number, end: number, timeMs: number): Uint8Array {
  const length = Math.min(end - start, SNAP_LENGTH)
  const record = new Uint8Array(RECORD_HEADER_LENGTH + length)
  const header = new DataView(record.buffer)
  header.setUint32(0, Math.floor(timeMs / 1000))
  header.setUint32(4, Math.floor((timeMs % 1000) * 1000))
  header.setUint32(8, length)
  header.setUint32(12, end - start)
  record.set(bytes.subarray(start, start + length), RECORD_HEADER_LENGTH)
  return record
}
