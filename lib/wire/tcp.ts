// RFC 9293 §3.1: a TCP segment, read and written where it lies.
import { i32, setU16, setU32, u8, u16 } from './bytes.ts'

/** Length of a header without options, in bytes. */
export const HEADER_LENGTH = 20
/** Where the checksum lies in the header. */
export const CHECKSUM_OFFSET = 16
export const FIN = 0x01
export const SYN = 0x02
export const RST = 0x04
export const PSH = 0x08
export const ACK = 0x10

/** A view of one segment inside a packet. One view per direction moves from packet to packet. */
export class TcpView {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0

  /** Move to `bytes[start, end)`. False if no segment can lie there; then ask nothing else. */
  wrap(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.start = start
    this.end = end
    if (start < 0 || end > bytes.length || end - start < HEADER_LENGTH) return false
    return this.headerLength >= HEADER_LENGTH && start + this.headerLength <= end
  }

  get sourcePort(): number {
    return u16(this.bytes, this.start)
  }
  get destinationPort(): number {
    return u16(this.bytes, this.start + 2)
  }
  /** SEG.SEQ as int32. */
  get seq(): number {
    return i32(this.bytes, this.start + 4)
  }
  /** SEG.ACK as int32; means something only with the ACK bit. */
  get ack(): number {
    return i32(this.bytes, this.start + 8)
  }
  /** In bytes, options included. */
  get headerLength(): number {
    return (u8(this.bytes, this.start + 12) >> 4) * 4
  }
  get flags(): number {
    return u8(this.bytes, this.start + 13)
  }
  /** The window field as it stands, not scaled. */
  get wnd(): number {
    return u16(this.bytes, this.start + 14)
  }
  get checksum(): number {
    return u16(this.bytes, this.start + CHECKSUM_OFFSET)
  }
  set checksum(value: number) {
    setU16(this.bytes, this.start + CHECKSUM_OFFSET, value)
  }

  /** Where the text begins, as an index into `bytes`. */
  get textStart(): number {
    return this.start + this.headerLength
  }
  /** Bytes of text. */
  get textLength(): number {
    return this.end - this.textStart
  }
  /** SEG.LEN of the RFC: the text, and one each for SYN and FIN. */
  get len(): number {
    const { flags } = this
    return this.textLength + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)
  }

  /** Is any of these bits set? */
  has(flags: number): boolean {
    return (this.flags & flags) !== 0
  }

  /** The text where it lies: copy it before the next `wrap`. */
  get text(): Uint8Array {
    return this.bytes.subarray(this.textStart, this.end)
  }

  /** Write a whole header for `optionsLength` bytes of options (a multiple of 4); options and text already lie behind it. */
  emit(
    sourcePort: number,
    destinationPort: number,
    seq: number,
    ack: number,
    flags: number,
    wnd: number,
    optionsLength = 0
  ): void {
    this.emitPorts(sourcePort, destinationPort)
    this.emitFields(seq, ack, flags, wnd, optionsLength)
  }

  emitPorts(sourcePort: number, destinationPort: number): void {
    setU16(this.bytes, this.start, sourcePort)
    setU16(this.bytes, this.start + 2, destinationPort)
  }

  /** Everything behind the ports. Checksum and urgent pointer are set to 0. */
  emitFields(seq: number, ack: number, flags: number, wnd: number, optionsLength: number): void {
    const { bytes, start } = this
    setU32(bytes, start + 4, seq)
    setU32(bytes, start + 8, ack)
    setU16(bytes, start + 12, ((HEADER_LENGTH + optionsLength) << 10) | flags)
    setU16(bytes, start + 14, wnd)
    setU32(bytes, start + 16, 0)
  }
}
