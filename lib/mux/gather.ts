// What goes to the carrier in one write: headers and small payloads copied together, large payloads passed through.
import { HEADER_LENGTH, writeHeader } from './frame.ts'

/** A gathered write is finished from here on, bytes: messages of 16–64 KiB cost the way least. */
export const GATHER_BYTES = 65_536
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

  /** Payload. From PASS_BYTES on the memory belongs to the carrier afterwards. */
  append(bytes: Uint8Array): void {
    if (bytes.length < PASS_BYTES) {
      const at = this.#room(bytes.length)
      this.#slab.set(bytes, at)
      return
    }
    this.#cut()
    this.#pieces.push(bytes)
    this.bytes += bytes.length
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
