// A copy of an HTTP/2 stream for the laptop. Whatever becomes of it, the original's answer is not kept waiting.
import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { Http2Servers } from './http2-servers.ts'
import type { Way } from './ways.ts'

/** What may wait for a slow laptop, bytes: of one copy. */
const MAX_WAITING = 1_048_576
/** Copies at a time. */
const MAX_COPIES = 256
/** A copy about which nothing is heard for so long is given up, ms. */
const IDLE_MS = 30_000

let copies = 0

export class Http2Copy {
  readonly #way: Way
  #queue: Buffer[] = []
  #waiting = 0
  #stream: ClientHttp2Stream | undefined
  #whole = false
  #over = false
  #trailers: OutgoingHttpHeaders = {}

  constructor(way: Way, servers: Http2Servers, headers: OutgoingHttpHeaders, bodyless: boolean) {
    this.#way = way
    copies += 1
    if (copies > MAX_COPIES) this.close()
    else void this.#open(servers, headers, bodyless)
    if (bodyless) this.end({})
  }

  /** The next bytes of the request, unless too many wait already: then this copy is dropped. */
  write(bytes: Buffer): void {
    if (this.#over) return
    this.#waiting += bytes.length
    if (this.#waiting > MAX_WAITING) this.close()
    else if (this.#stream === undefined) this.#queue.push(bytes)
    else this.#send(this.#stream, bytes)
  }

  /** That was all of the request. */
  end(trailers: OutgoingHttpHeaders): void {
    if (this.#over || this.#whole) return
    this.#whole = true
    this.#trailers = trailers
    this.#way.counters.copies += 1
    this.#stream?.end()
  }

  /** The caller has gone, or this is to be given up. */
  close(): void {
    if (this.#over) return
    this.#over = true
    copies -= 1
    this.#queue = []
    if (!this.#whole) this.#way.counters.dropped += 1
    this.#stream?.close()
  }

  async #open(servers: Http2Servers, headers: OutgoingHttpHeaders, bodyless: boolean): Promise<void> {
    const { session } = await servers.session(this.#way)
    if (session === undefined || session.closed || this.#over) {
      this.close()
      return
    }
    try {
      this.#stream = session.request(headers, { endStream: bodyless, waitForTrailers: !bodyless })
    } catch {
      this.close()
      return
    }
    const stream = this.#stream
    stream.on('error', () => {})
    stream.on('close', () => this.close())
    stream.on('wantTrailers', () => stream.sendTrailers(this.#trailers))
    stream.setTimeout(IDLE_MS, () => this.close())
    stream.resume() // the answer is nobody's
    for (const bytes of this.#queue) this.#send(stream, bytes)
    this.#queue = []
    if (this.#whole && !bodyless) stream.end()
  }

  #send(stream: ClientHttp2Stream, bytes: Buffer): void {
    stream.write(bytes, () => {
      this.#waiting -= bytes.length
    })
  }
}
