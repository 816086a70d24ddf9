// What goes to the carrier in one write: headers and small payloads copied together, large payloads passed through.
import { isBlock } from '../blocks.ts'
import { HEADER_LENGTH, writeHeader } from './frame.ts'
import type { Replay } from './replay.ts'

/**
 * A gathered write is finished from here on, bytes: messages of 64 KiB cost the way least. That is less what the carrier puts before
 * it (8 bytes of SPDY, 14 of WebSocket), so that it is two reads of 32 KiB for every hop and four records of TLS. One byte more would
 * be a third read and a message of its own in all of them: containerd's CPU 1.7 → 1.4 s/GiB down, 2.3 → 2.1 up.
 */
export const GATHER_BYTES = 65_536 - 8 - 14
/** The longest payload of DATA that is sent, bytes. Who hands on chunks of this size has each of them in a write of its own. */
export const BULK_BYTES = GATHER_BYTES - HEADER_LENGTH
/**
 * Payloads from here on are passed through without a copy, bytes. Copying all of them cost 0.5 CPU s/GiB more at the sender, copying none of
 * the small ones twice as much for writes of 1 KiB (bench/pair/mux.bench.ts).
 */
export const PASS_BYTES = 8_192
// Fresh memory for headers and small payloads, bytes. The carrier keeps what it was given, so it is never written twice.
const SLAB_BYTES = 65_536

export class Gather {
  #slab = Buffer.allocUnsafeSlow(0)
  #start = 0
  #end = 0
  #pieces: Uint8Array[] = []
  /** Bytes gathered so far. */
  bytes = 0
  /** Copy all payloads: too many blocks are kept already. */
  frugal = false
  #blocks: Uint8Array[] = []
  #blockEnds: number[] = []

  /** Begin a frame whose payload is appended next. */
  header(type: number, length: number, id: number): void {
    const at = this.#room(HEADER_LENGTH) // may change the slab
    writeHeader(this.#slab, at, type, length, id)
  }

  /** Room for `length` bytes (a control payload) in `slab`, at the returned place. */
  reserve(length: number): { slab: Uint8Array; at: number } {
    const at = this.#room(length)
    return { slab: this.#slab, at }
  }

  /** Payload. False: its memory is among the pieces and stays as it is, as it does from PASS_BYTES on; true: it was copied. */
  append(bytes: Uint8Array): boolean {
    if (bytes.length < PASS_BYTES || this.frugal) {
      const at = this.#room(bytes.length)
      this.#slab.set(bytes, at)
      return true
    }
    this.#cut()
    this.#pieces.push(bytes)
    this.bytes += bytes.length
    return false
  }

  /** The last part of `chunk` has been appended. If it is a block it can be used again when all of this has arrived. */
  used(chunk: Uint8Array): void {
    if (!isBlock(chunk)) return
    this.#blocks.push(chunk)
    this.#blockEnds.push(this.bytes)
  }

  /** Leave the blocks that were `used` to `replay`; what has been gathered begins at position `from`. */
  moveBlocks(replay: Replay, from: number): void {
    for (let i = 0; i < this.#blocks.length; i++) replay.keepBlock(this.#blocks[i]!, from + this.#blockEnds[i]!)
    this.#blocks.length = 0
    this.#blockEnds.length = 0
  }

  /** The gathered pieces in order; the gather is empty afterwards. */
  finish(): Uint8Array[] {
    this.#cut()
    const pieces = this.#pieces
    this.#pieces = []
    this.bytes = 0
    return pieces
  }

  #room(length: number): number {
    if (this.#end + length > this.#slab.length) {
      this.#cut()
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#start = 0
      this.#end = 0
    }
    const at = this.#end
    this.#end += length
    this.bytes += length
    return at
  }

  #cut(): void {
    if (this.#end > this.#start) this.#pieces.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
