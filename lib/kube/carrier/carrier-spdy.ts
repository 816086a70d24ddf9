// `portforward.k8s.io`: one SPDY connection to the container runtime, bare or cut anywhere into the messages of a WebSocket that ends in
// the API server. An upload costs the runtime a third of what it costs over channels.
import type { Line } from '../api/dial.ts'
import { CarrierStream, GOODBYE_LIMIT_MS } from './carrier-stream.ts'
import type { Framing, FramingEvents } from './framing.ts'
import { dataHeader, HEADER_BYTES, openStreams, pingFrame, SpdyReader } from './spdy.ts'

/** A client's streams have odd numbers. The runtime wants one for its complaint, and then one for the port's bytes. */
const ERROR_STREAM = 1
const DATA_STREAM = 3

export class SpdyCarrier extends CarrierStream {
  readonly #port: number
  readonly #reader: SpdyReader
  /** The runtime drops data that comes before it took the stream. */
  #taken: boolean = false
  #whenTaken: (() => void) | undefined
  /** Waits for the end that the runtime gives in answer to ours. */
  #whenOver: (() => void) | undefined
  /** Streams on which the runtime says nothing more. */
  readonly #over = { [ERROR_STREAM]: false, [DATA_STREAM]: false }

  constructor(socket: Line, target: { pod: string; port: number }, framing: (events: FramingEvents) => Framing) {
    super(socket, target, framing)
    this.#port = target.port
    this.#reader = new SpdyReader({
      data: (stream, bytes) => {
        if (stream === DATA_STREAM) this.deliver(bytes)
        else if (stream === ERROR_STREAM) this.complaint(bytes)
      },
      reply: stream => {
        if (stream === DATA_STREAM) this.#open()
      },
      over: stream => this.#ended(stream),
      ping: id => {
        // Odd ones would be answers to ours, and we send none.
        if (id % 2 === 0) this.aside(this.#framed(pingFrame(id)), 'answer')
      }
    })
  }

  override start(rest: Buffer): void {
    const common = { port: String(this.#port), requestid: '0' }
    const streams = openStreams([
      { id: ERROR_STREAM, headers: { streamtype: 'error', ...common }, final: true },
      { id: DATA_STREAM, headers: { streamtype: 'data', ...common } }
    ])
    this.aside(this.#framed(streams), 'needed')
    super.start(rest)
    this.read(0) // a writer waits for the answer, whether anybody reads or not
  }

  protected override headers(length: number): Uint8Array {
    const headers = this.framing.header(HEADER_BYTES + length, HEADER_BYTES)
    headers.set(dataHeader(DATA_STREAM, length), headers.length - HEADER_BYTES)
    return headers
  }

  protected override message(bytes: Uint8Array): void {
    if (this.destroyed) return
    const wrong = this.#reader.push(bytes)
    if (wrong !== undefined) this.broke(`broke the SPDY protocol: ${wrong}`)
  }

  protected override send(chunks: Buffer[], done: () => void): void {
    if (this.#taken) super.send(chunks, done)
    else this.#whenTaken = () => super.send(chunks, done)
  }

  /** The runtime throws away what it has not read when the connection closes under it: so the stream is ended first. */
  override _final(done: () => void): void {
    const finished = () => {
      this.#whenOver = undefined
      clearTimeout(limit)
      this.goodbye()
      done()
    }
    const limit = setTimeout(finished, GOODBYE_LIMIT_MS).unref()
    // Nothing was written, or the runtime has ended both streams already.
    if (!this.#taken || (this.#over[DATA_STREAM] && this.#over[ERROR_STREAM])) {
      finished()
      return
    }
    this.finishing = true
    this.#whenOver = finished
    this.aside(this.#framed(dataHeader(DATA_STREAM, 0, true)), 'needed')
  }

  protected override conclude(): void {
    super.conclude()
    this.#whenOver?.()
  }

  #framed(frames: Uint8Array): Uint8Array {
    return Buffer.concat([this.framing.header(frames.length), frames])
  }

  #open(): void {
    if (this.#taken) return
    this.#taken = true
    this.#whenTaken?.()
    this.#whenTaken = undefined
  }

  #ended(stream: number): void {
    if (stream !== DATA_STREAM && stream !== ERROR_STREAM) return
    this.#over[stream] = true
    if (!this.#over[DATA_STREAM]) return
    // A complaint may be on its way behind the end of the data; the runtime ends both in one go.
    if (this.#over[ERROR_STREAM]) this.conclude()
    else setTimeout(() => this.conclude(), GOODBYE_LIMIT_MS).unref()
  }
}
