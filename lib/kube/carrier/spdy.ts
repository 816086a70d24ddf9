// SPDY/3.1 framing (draft 3.1 §2), as much as a port-forward needs: two streams of ours, their data both ways, and what a server
// may send besides. Flow control by windows is not part of it: the servers of Kubernetes ignore WINDOW_UPDATE and send none.

const VERSION = 3
const CONTROL_BIT = 0x80
const SYN_STREAM = 1
const SYN_REPLY = 2
const RST_STREAM = 3
const PING = 6
const HEADERS = 8
/** Flag of DATA, SYN_STREAM, SYN_REPLY and HEADERS: the sender says nothing more on this stream. */
const FIN = 0x01
/** Bytes before the payload of every frame. */
export const HEADER_BYTES = 8
/** Of a control frame's payload this is read: an id and a status. */
const CONTROL_READ_BYTES = 8
/** A control frame of a server is smaller by far: headers of a reply, settings. More is not one. */
const CONTROL_MAX_BYTES = 64 * 1024
/** RFC 1951 §3.2.4: the length of a stored block has 16 bits. */
const STORED_MAX_BYTES = 0xffff

/** What the reader finds. Bytes are views of the chunk that was pushed: use or copy them before returning. */
export interface SpdyEvents {
  /** A part of what a stream carries, whatever its size. */
  data(stream: number, bytes: Uint8Array): void
  /** The server took the stream: only now it takes data. */
  reply(stream: number): void
  /** The server says nothing more on the stream: it ended it, or reset it. */
  over(stream: number): void
  ping(id: number): void
}

/** Reads the frames of a server. It holds a header and eight bytes of a control frame at most; data passes through. */
export class SpdyReader {
  readonly #events: SpdyEvents
  readonly #header = new DataView(new ArrayBuffer(HEADER_BYTES))
  #headerLength = 0
  readonly #control = new DataView(new ArrayBuffer(CONTROL_READ_BYTES))
  #controlLength = 0
  /** Payload bytes of the current frame that are still to come. */
  #remaining = 0
  #inPayload: boolean = false

  constructor(events: SpdyEvents) {
    this.#events = events
  }

  /** Take the next bytes. Returns what is wrong with them, after which nothing more may be pushed. Never throws. */
  push(chunk: Uint8Array): string | undefined {
    let at = 0
    while (at < chunk.length || (this.#inPayload && this.#remaining === 0)) {
      if (!this.#inPayload) {
        this.#header.setUint8(this.#headerLength++, chunk[at++]!)
        const wrong = this.#headerLength < HEADER_BYTES ? undefined : this.#begin()
        if (wrong !== undefined) return wrong
        continue
      }
      const part = chunk.subarray(at, at + this.#remaining)
      at += part.length
      this.#remaining -= part.length
      if (part.length > 0) this.#payload(part)
      const wrong = this.#remaining > 0 ? undefined : this.#finish()
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  get #isControl(): boolean {
    return (this.#header.getUint8(0) & CONTROL_BIT) !== 0
  }

  #begin(): string | undefined {
    this.#remaining = this.#header.getUint32(4) & 0xffffff
    this.#headerLength = 0
    this.#controlLength = 0
    this.#inPayload = true
    if (!this.#isControl) return this.#header.getUint32(0) === 0 ? 'data belongs to no stream' : undefined
    const version = this.#header.getUint16(0) & 0x7fff
    if (version !== VERSION) return `version ${version} is not known`
    return this.#remaining > CONTROL_MAX_BYTES ? 'a control frame is too long' : undefined
  }

  #payload(part: Uint8Array): void {
    if (!this.#isControl) this.#events.data(this.#header.getUint32(0), part)
    else
      for (let i = 0; i < part.length && this.#controlLength < CONTROL_READ_BYTES; i++)
        this.#control.setUint8(this.#controlLength++, part[i]!)
  }

  #finish(): string | undefined {
    this.#inPayload = false
    const fin = (this.#header.getUint8(4) & FIN) !== 0
    if (!this.#isControl) {
      if (fin) this.#events.over(this.#header.getUint32(0))
      return undefined
    }
    const type = this.#header.getUint16(2)
    // SETTINGS, GOAWAY, WINDOW_UPDATE, and streams of the server's own do not concern a port-forward.
    if (type !== SYN_REPLY && type !== RST_STREAM && type !== PING && type !== HEADERS) return undefined
    if (this.#controlLength < 4) return 'a control frame is too short'
    const id = this.#control.getUint32(0)
    if (type === PING) this.#events.ping(id)
    if (type === SYN_REPLY) this.#events.reply(id & 0x7fffffff)
    if (type === RST_STREAM || (fin && type !== PING)) this.#events.over(id & 0x7fffffff)
    return undefined
  }
}

/** Header of a DATA frame with `length` bytes to follow; `final` ends our side of the stream. */
export function dataHeader(stream: number, length: number, final = false): Uint8Array {
  return withHeader(stream, final ? FIN : 0, length, 0)
}

/** A whole PING frame. */
export function pingFrame(id: number): Uint8Array {
  const frame = controlHeader(PING, 0, 4)
  frame.writeUInt32BE(id, HEADER_BYTES)
  return frame
}

/** Streams to be opened on one connection, in this order and all at once: its one compression context begins and ends here. */
export function openStreams(streams: { id: number; headers: Record<string, string>; final?: boolean }[]): Uint8Array {
  return Buffer.concat(
    streams.map(({ id, headers, final = false }, index) => {
      const block = stored(headerBlock(headers), index === 0)
      const frame = controlHeader(SYN_STREAM, final ? FIN : 0, 10 + block.length)
      frame.writeUInt32BE(id, HEADER_BYTES) // no stream that it belongs to, priority 0
      frame.set(block, HEADER_BYTES + 10)
      return frame
    })
  )
}

function controlHeader(type: number, flags: number, length: number): Buffer {
  return withHeader(((CONTROL_BIT << 24) | (VERSION << 16) | type) >>> 0, flags, length, length)
}

function withHeader(word: number, flags: number, length: number, room: number): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + room)
  frame.writeUInt32BE(word, 0)
  frame[4] = flags
  frame.writeUIntBE(length, 5, 3)
  return frame
}

function headerBlock(headers: Record<string, string>): Buffer {
  const texts = Object.entries(headers).flat()
  const block = [u32(texts.length / 2)]
  for (const text of texts) {
    const bytes = Buffer.from(text, 'latin1')
    block.push(u32(bytes.length), bytes)
  }
  return Buffer.concat(block)
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/**
 * Bytes as zlib of one ongoing context, flushed, and not compressed: a stored block, then an empty one. Nothing refers to what came
 * before, so neither a compressor nor SPDY's dictionary is needed; a reader takes the latter only when the first byte asks for it.
 */
function stored(bytes: Buffer, first: boolean): Buffer {
  if (bytes.length > STORED_MAX_BYTES) throw new RangeError('the headers of a stream are too long')
  const size = Buffer.alloc(5) // not the last block, stored
  size.writeUInt16LE(bytes.length, 1)
  size.writeUInt16LE(~bytes.length & 0xffff, 3)
  const zlibHeader = first ? Buffer.of(0x78, 0x01) : Buffer.alloc(0)
  return Buffer.concat([zlibHeader, size, bytes, Buffer.of(0, 0, 0, 0xff, 0xff)])
}
