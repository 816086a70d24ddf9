// Bytes in any chunking → frames. DATA is handed on in the pieces in which it arrives, without a copy.
import { DATA, HEADER_LENGTH, MAX_CONTROL, u32, validHeader } from './frame.ts'

/** What the decoder reports. Bytes are valid during the call only. Returning false stops the decoder for good. */
export interface FrameSink {
  /** A piece of the payload of a DATA frame, in order, never empty. */
  data(id: number, bytes: Uint8Array): boolean
  /** Any other frame, whole. */
  control(type: number, id: number, payload: Uint8Array): boolean
}

export class Decoder {
  readonly #sink: FrameSink
  // A header or a control payload that is spread over chunks is put together here. DATA never is.
  readonly #header = new Uint8Array(HEADER_LENGTH)
  readonly #control = new Uint8Array(MAX_CONTROL)
  #headerFilled = 0
  #controlFilled = 0
  #type = -1
  #id = 0
  #left = 0
  #stopped = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** False: a frame that must not be, or the sink has said stop. From then on everything is refused. */
  push(bytes: Uint8Array): boolean {
    let at = 0
    while (!this.#stopped && (at < bytes.length || this.#isEmptyFrame())) {
      if (this.#type < 0) at = this.#readHeader(bytes, at)
      else if (this.#type === DATA) at = this.#readData(bytes, at)
      else at = this.#readControl(bytes, at)
    }
    return !this.#stopped
  }

  // A FIN has no payload byte to wait for.
  #isEmptyFrame(): boolean {
    return this.#type >= 0 && this.#left === 0
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    if (this.#headerFilled === 0 && bytes.length - at >= HEADER_LENGTH) {
      this.#begin(bytes, at)
      return at + HEADER_LENGTH
    }
    const take = Math.min(HEADER_LENGTH - this.#headerFilled, bytes.length - at)
    this.#header.set(bytes.subarray(at, at + take), this.#headerFilled)
    this.#headerFilled += take
    if (this.#headerFilled === HEADER_LENGTH) this.#begin(this.#header, 0)
    return at + take
  }

  #begin(bytes: Uint8Array, at: number): void {
    const word = u32(bytes, at)
    const type = word >>> 24
    const length = word & 0xff_ffff
    const id = u32(bytes, at + 4)
    this.#headerFilled = 0
    if (!validHeader(type, length, id)) {
      this.#stopped = true
      return
    }
    this.#type = type
    this.#id = id
    this.#left = length
    this.#controlFilled = 0
  }

  #readData(bytes: Uint8Array, at: number): number {
    const end = Math.min(at + this.#left, bytes.length)
    this.#left -= end - at
    if (this.#left === 0) this.#type = -1
    if (!this.#sink.data(this.#id, bytes.subarray(at, end))) this.#stopped = true
    return end
  }

  #readControl(bytes: Uint8Array, at: number): number {
    const end = Math.min(at + this.#left, bytes.length)
    this.#left -= end - at
    if (this.#left > 0 || this.#controlFilled > 0) {
      this.#control.set(bytes.subarray(at, end), this.#controlFilled)
      this.#controlFilled += end - at
    }
    if (this.#left > 0) return end
    const type = this.#type
    this.#type = -1
    const whole = this.#controlFilled > 0 ? this.#control.subarray(0, this.#controlFilled) : bytes.subarray(at, end)
    if (!this.#sink.control(type, this.#id, whole)) this.#stopped = true
    return end
  }
}
