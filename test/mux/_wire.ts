// Two protocols joined by a way with a delay and a rate, in virtual time; and frames written by hand.
import { Decoder, type FrameSink } from '../../lib/mux/decoder.ts'
import { type GoAwayCode, type ResetCode, writeHeader } from '../../lib/mux/frame.ts'
import { Protocol, type ProtocolEvents } from '../../lib/mux/protocol.ts'
import type { StreamEvents, StreamState } from '../../lib/mux/stream-state.ts'

/** A stream's reader that counts, and reads at once unless told otherwise. */
export class Reader implements StreamEvents {
  bytes = 0
  unread = 0
  reading = true
  ends = 0
  resets: ResetCode[] = []
  takes = 0
  state: StreamState | undefined
  readonly #owner: Protocol
  onData: ((bytes: Uint8Array) => void) | undefined

  constructor(owner: Protocol) {
    this.#owner = owner
  }
  data(bytes: Uint8Array): void {
    this.bytes += bytes.length
    if (!this.reading) this.unread += bytes.length
    this.onData?.(bytes)
    if (this.reading && this.state !== undefined) this.#owner.read(this.state)
  }
  ended(): void {
    this.ends += 1
  }
  reset(code: ResetCode): void {
    this.resets.push(code)
  }
  taken(): void {
    this.takes += 1
  }
  kept(): number {
    return this.unread
  }
}

/** A protocol whose streams of the peer get Readers. */
export class Side implements ProtocolEvents {
  readonly protocol: Protocol
  readonly readers: Reader[] = []
  code: GoAwayCode | undefined
  theirs: boolean | undefined
  onOpened: ((reader: Reader, request: Uint8Array) => void) | undefined

  constructor(role: 'client' | 'agent', now = 0) {
    this.protocol = new Protocol(role, now, this)
  }
  opened(stream: StreamState, request: Uint8Array): void {
    const reader = new Reader(this.protocol)
    reader.state = stream
    stream.events = reader
    this.readers.push(reader)
    this.onOpened?.(reader, request)
  }
  over(code: GoAwayCode, theirs: boolean): void {
    this.code = code
    this.theirs = theirs
  }
  open(request: Uint8Array = new Uint8Array(0)): Reader {
    const reader = new Reader(this.protocol)
    const state = this.protocol.open(request, reader)
    if (typeof state === 'string') throw new Error(state)
    reader.state = state
    return reader
  }
  /** Everything that is due, as one piece. */
  transmitAll(now: number): Buffer {
    const pieces: Uint8Array[] = []
    for (;;) {
      const more = this.protocol.transmit(now)
      this.protocol.report(this.protocol.emptied())
      if (more.length === 0) return Buffer.concat(pieces)
      pieces.push(...more)
    }
  }
}

/** A frame from its fields. */
export function frame(type: number, id: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(8 + payload.length)
  writeHeader(bytes, 0, type, payload.length, id)
  bytes.set(payload, 8)
  return bytes
}

export function number(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4)
  return bytes
}

/** The frames in `bytes`, as `TYPE id length`. */
export function names(bytes: Uint8Array): string[] {
  const types = ['DATA', 'OPEN', 'CREDIT', 'FIN', 'RESET', 'PING', 'PONG', 'GOAWAY', 'ACK', 'RETURN']
  const found: string[] = []
  const sink: FrameSink = {
    data: (id, data) => found.push(`DATA ${id} ${data.length}`) > 0,
    control: (type, id, payload) => found.push(`${types[type]} ${id} ${payload.length}`) > 0
  }
  new Decoder(sink).push(bytes)
  return found
}

/** A way of `delayMs` and `bytesPerMs` in each direction, whose queue has no end: what bufferbloat is made of. */
export class Way {
  readonly #from: Side
  readonly #to: Side
  readonly #delayMs: number
  readonly #bytesPerMs: number
  #freeAt = 0
  #queue: { at: number; bytes: Uint8Array }[] = []
  /** Longest time that anything waited for its turn, ms. */
  worstWaitMs = 0
  /** Messages, if the carrier makes one of each write. */
  writes = 0

  constructor(from: Side, to: Side, delayMs: number, bytesPerMs: number) {
    this.#from = from
    this.#to = to
    this.#delayMs = delayMs
    this.#bytesPerMs = bytesPerMs
  }
  step(now: number): void {
    while (this.#queue.length > 0 && this.#queue[0]!.at <= now)
      this.#to.protocol.arrive(this.#queue.shift()!.bytes, now)
    for (;;) {
      const pieces = this.#from.protocol.transmit(now)
      this.#from.protocol.report(this.#from.protocol.emptied())
      if (pieces.length === 0) return
      const bytes = Buffer.concat(pieces)
      this.writes += 1
      this.worstWaitMs = Math.max(this.worstWaitMs, this.#freeAt - now)
      this.#freeAt = Math.max(this.#freeAt, now) + bytes.length / this.#bytesPerMs
      this.#queue.push({ at: this.#freeAt + this.#delayMs, bytes })
    }
  }
}

/** Run both ways in steps of a quarter millisecond. */
export function run(a: Side, b: Side, ways: Way[], fromMs: number, toMs: number, each?: (now: number) => void): void {
  for (let now = fromMs; now < toMs; now += 0.25) {
    each?.(now)
    for (const side of [a, b]) if (now >= side.protocol.deadline) side.protocol.timeout(now)
    for (const way of ways) way.step(now)
  }
}
