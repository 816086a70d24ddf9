// One stream of a caller and the stream of a server that answers it.
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream
} from 'node:http2'
import type { RouterPort } from '../../lib/router/config.ts'
import { type RequestView, splitTarget } from '../../lib/router/match.ts'
import { Http2Copy } from './http2-copy.ts'
import { outgoing } from './http2-headers.ts'
import type { Http2Servers } from './http2-servers.ts'
import type { Office } from './office.ts'
import type { Way } from './ways.ts'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants
const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH } = constants
/** RFC 9110 §9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])

export interface Http2Asked {
  headers: IncomingHttpHeaders
  /** Names and values in turns, as they came. */
  raw: string[]
  /** Of the frame. */
  flags: number
  servers: Http2Servers
  port: RouterPort
  office: Office
}

export class Http2Exchange {
  readonly #stream: ServerHttp2Stream
  readonly #asked: Http2Asked
  readonly #bodyless: boolean
  #copy: Http2Copy | undefined
  #to: Way | undefined
  #server: ClientHttp2Stream | undefined
  #answered = false
  /** It has been asked twice; there is no third time. */
  #again = false
  /** Something of the request's body has been taken. */
  #taken = false
  #requestEnded: boolean
  #answerSent = false
  /** The server wants no more of the request. */
  #answeredEarly = false
  #requestTrailers: OutgoingHttpHeaders = {}
  #answerTrailers: OutgoingHttpHeaders = {}

  constructor(stream: ServerHttp2Stream, asked: Http2Asked) {
    this.#stream = stream
    this.#asked = asked
    this.#requestEnded = this.#bodyless = (asked.flags & NGHTTP2_FLAG_END_STREAM) !== 0
  }

  begin(): void {
    const { office, port } = this.#asked
    const { ways } = office
    const stream = this.#stream
    const { to, copyTo } = ways.choose(port, this.#view())
    ways.count(to)
    this.#to = to
    stream.on('error', () => {})
    stream.on('close', () => this.#callerGone())
    stream.on('trailers', (_headers, _flags, raw: string[]) => {
      this.#requestTrailers = outgoing(raw)
    })
    stream.on('drain', () => this.#server?.resume())
    stream.on('wantTrailers', () => {
      stream.sendTrailers(this.#answerTrailers)
      this.#answerIsSent()
    })
    if (copyTo !== undefined) {
      this.#copy = new Http2Copy(copyTo, this.#asked.servers, outgoing(this.#asked.raw), this.#bodyless)
    }
    void this.#ask()
  }

  #view(): RequestView {
    const { headers, raw } = this.#asked
    return {
      ...splitTarget(String(headers[HTTP2_HEADER_PATH] ?? '')),
      field: name => {
        const wanted = name === 'host' && headers.host === undefined ? ':authority' : name
        const found: string[] = []
        for (let i = 0; i < raw.length; i += 2) if (raw[i] === wanted) found.push(raw[i + 1]!)
        return found
      }
    }
  }

  async #ask(): Promise<void> {
    const { servers } = this.#asked
    let { session, reused } = await servers.session(this.#to)
    if (session === undefined && this.#to !== undefined) {
      this.#passOn(this.#to)
      ;({ session, reused } = await servers.session(undefined))
    }
    if (this.#stream.destroyed) return
    if (session === undefined) this.#stream.close(NGHTTP2_REFUSED_STREAM)
    else {
      try {
        const options = { endStream: this.#bodyless, waitForTrailers: !this.#bodyless }
        this.#listen(session.request(outgoing(this.#asked.raw), options), reused)
      } catch {
        this.#stream.close(NGHTTP2_REFUSED_STREAM) // the session has just ended, or the head cannot be sent
      }
    }
  }

  #passOn(to: Way): void {
    to.counters.passedOn += 1
    this.#to = undefined
  }

  #listen(server: ClientHttp2Stream, reused: boolean): void {
    this.#server = server
    const stream = this.#stream
    server.on('error', () => {}) // 'close' follows
    server.on('close', () => this.#serverGone(server, reused))
    server.on('headers', (headers, _flags, raw?: string[]) => {
      if (!stream.destroyed) stream.additionalHeaders(raw === undefined ? headers : outgoing(raw))
    })
    server.on('response', (headers, flags, raw?: string[]) => {
      this.#answered = true
      if (stream.destroyed) return
      const endStream = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
      stream.respond(raw === undefined ? headers : outgoing(raw), {
        endStream,
        waitForTrailers: !endStream,
        sendDate: false
      } as object)
      if (endStream) this.#answerIsSent()
    })
    server.on('trailers', (_headers, _flags, raw: string[]) => {
      this.#answerTrailers = outgoing(raw)
    })
    server.on('data', (bytes: Buffer) => {
      if (!stream.write(bytes)) server.pause()
    })
    server.on('end', () => {
      if (this.#answered) stream.end()
    })
    server.on('wantTrailers', () => server.sendTrailers(this.#requestTrailers))
    server.on('drain', () => stream.resume())
    if (this.#bodyless) stream.resume()
    else if (!this.#taken) this.#takeBody()
  }

  #takeBody(): void {
    const stream = this.#stream
    stream.on('data', (bytes: Buffer) => {
      this.#taken = true
      this.#copy?.write(bytes)
      if (this.#server?.write(bytes) === false) stream.pause()
    })
    stream.on('end', () => {
      this.#taken = this.#requestEnded = true
      this.#copy?.end(this.#requestTrailers)
      this.#server?.end()
    })
  }

  #callerGone(): void {
    const server = this.#server
    if (server === undefined || server.destroyed) return
    this.#copy?.close()
    server.close(this.#stream.rstCode === NGHTTP2_NO_ERROR ? NGHTTP2_CANCEL : this.#stream.rstCode)
  }

  /** What a server refuses has not been worked on (RFC 9113 §8.7); what it loses may have been. */
  #serverGone(server: ClientHttp2Stream, reused: boolean): void {
    const stream = this.#stream
    if (stream.destroyed || stream.closed) return
    const refused = server.rstCode === NGHTTP2_REFUSED_STREAM
    const idempotent = IDEMPOTENT.has(String(this.#asked.headers[HTTP2_HEADER_METHOD]))
    const again = !this.#again && (reused || this.#to !== undefined) && (refused || idempotent)
    if (again && !this.#answered && !this.#taken) {
      this.#again = true
      if (this.#to !== undefined) this.#passOn(this.#to)
      stream.removeAllListeners('data').removeAllListeners('end')
      void this.#ask()
      return
    }
    if (this.#answered && server.rstCode === NGHTTP2_NO_ERROR && server.readableEnded) {
      this.#answeredEarly = !this.#requestEnded
      if (this.#answerSent) this.#answerIsSent()
      return
    }
    stream.close(server.rstCode === NGHTTP2_NO_ERROR ? NGHTTP2_CANCEL : server.rstCode)
  }

  /** RFC 9113 §8.1: an answer that was complete before the request; nobody needs the rest of that. */
  #answerIsSent(): void {
    this.#answerSent = true
    if (this.#answeredEarly) setImmediate(() => this.#stream.close(NGHTTP2_NO_ERROR))
  }
}
