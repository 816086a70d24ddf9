// One caller who speaks HTTP/1: request by request, each to where it belongs, over connections that are only his.
import type { Socket } from 'node:net'
import type { RouterPort } from '../../lib/router/config.ts'
import { BodyReader, requestFraming } from '../../lib/router/http1-body.ts'
import { endOfHead, RequestHead } from '../../lib/router/http1-head.ts'
import { forwardable } from '../../lib/router/http1-hop.ts'
import { join } from '../../lib/tunnel/join.ts'
import { listenTo } from '../connect.ts'
import { Copy } from './copy.ts'
import { type Asker, Exchange } from './exchange.ts'
import { Kept, type KeptListener } from './kept.ts'
import type { Guest, Office } from './office.ts'
import type { Upstream } from './upstream.ts'
import type { Way } from './ways.ts'

/** Of pipelined requests, bytes that wait while one is answered. */
const MAX_HELD = 65_536
/** After our FIN the caller may still send for so long, ms (RFC 9112 §9.6). */
const LINGER_MS = 2_000
const NOTHING: Buffer = Buffer.alloc(0)
const CR = 13
const LF = 10

export class Conversation implements Asker, Guest, KeptListener {
  readonly socket: Socket
  readonly #office: Office
  readonly #port: RouterPort
  readonly #kept = new Kept(this)
  /** Not looked at yet, or not understood yet. */
  #held = NOTHING
  #exchange: Exchange | undefined
  #callerEnded = false
  #finished = false

  /** `said`: what has been read from the caller already. The socket is the conversation's from now on. */
  constructor(socket: Socket, said: Buffer, port: RouterPort, office: Office) {
    this.socket = socket
    this.#port = port
    this.#office = office
    listenTo(socket, this.#heard)
    socket.on('end', this.#ended)
    socket.on('close', this.#closed)
    socket.on('drain', this.#drained)
    this.#heard(said)
    if (socket.readableEnded) this.#ended()
  }

  /** The pod is being removed: this answer, if its head can still say so, or the next one is the last. */
  retire(): void {
    if (this.#exchange !== undefined) this.#exchange.response.lastOne = true
  }

  /** End now if nothing is being asked; false: something is, or it is no conversation any more. */
  endIfIdle(): boolean {
    if (this.#exchange !== undefined || this.#finished) return false
    this.finish()
    return true
  }

  // ---- the caller --------------------------------------------------------------------------------------------------

  readonly #heard = (bytes: Buffer): void => {
    if (this.#finished) return
    let rest = bytes
    if (this.#exchange !== undefined && !this.#exchange.sent) {
      const left = this.#exchange.more(bytes)
      if (left === undefined) {
        this.#malformed()
        return
      }
      rest = left
    }
    if (rest.length > 0) this.#held = this.#held.length === 0 ? rest : Buffer.concat([this.#held, rest])
    this.#next()
  }

  readonly #ended = (): void => {
    this.#callerEnded = true
    if (this.#exchange === undefined) this.#next()
    else if (this.saidAll) this.#exchange.callerEnded()
  }

  readonly #closed = (): void => {
    this.#exchange?.close()
    this.#exchange = undefined
    this.#kept.close()
    this.#finished = true
  }

  readonly #drained = (): void => this.#exchange?.callerDrained()

  /** Take the next request, if it is there and its turn. */
  #next(): void {
    while (this.#exchange === undefined && !this.#finished && this.#held.length > 0) {
      if (this.#held[0] === CR && this.#held[1] === LF) {
        this.#held = this.#held.subarray(2) // RFC 9112 §2.2: an empty line before a request
        continue
      }
      const end = endOfHead(this.#held)
      if (end === -1) break
      if (end === 'malformed' || !this.#begin(end)) {
        this.#malformed()
        return
      }
    }
    if (this.#exchange === undefined && this.#callerEnded) this.finish()
    else this.flow()
  }

  /** The request whose head ends at `end`; false when it is malformed, and then nobody has heard of it. */
  #begin(end: number): boolean {
    const held = this.#held
    const head = RequestHead.parse(held, end)
    const framing = head && requestFraming(head)
    const forwarded = head && forwardable(head, held, end)
    if (head === undefined || framing === undefined || forwarded === undefined) return false
    const body = new BodyReader(framing)
    const past = body.read(held, end)
    if (past === undefined) return false
    const { ways } = this.#office
    const { to, copyTo } = ways.choose(this.#port, head)
    ways.count(to)
    const mirrors = copyTo !== undefined && head.method !== 'CONNECT' && head.field('upgrade').length === 0
    const copy = mirrors ? new Copy(copyTo, ways, head.method) : undefined
    const request = forwarded === held ? upTo(held, past) : Buffer.concat([forwarded, held.subarray(end, past)])
    this.#held = past === held.length ? NOTHING : held.subarray(past)
    this.#exchange = new Exchange(this, { method: head.method, body, to, copy })
    this.#exchange.response.lastOne = this.#office.leaving
    this.#exchange.begin(request)
    return true
  }

  /** RFC 9112 §2.2, §6.3: answered, and no word of what follows is believed. */
  #malformed(): void {
    this.#office.counters.malformed += 1
    if (this.#exchange?.cancel() === false) this.abort()
    else this.#refuse('400 Bad Request')
  }

  #refuse(status: string): void {
    this.socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    this.finish()
  }

  // ---- idle servers ------------------------------------------------------------------------------------------------

  // What one says, or that it goes, is for the caller if he heard from it last: so it would be without a router.

  spoken(bytes: Buffer): void {
    if (this.#exchange !== undefined) return
    this.socket.write(bytes)
    this.finish()
  }

  gone(): void {
    this.endIfIdle()
  }

  // ---- the exchange ------------------------------------------------------------------------------------------------

  get saidAll(): boolean {
    return this.#callerEnded && this.#held.length === 0
  }

  idle(to: Way | undefined, askable: boolean): Upstream | undefined {
    return this.#kept.take(to?.key ?? '', askable)
  }

  async dial(to: Way | undefined): Promise<Socket | undefined> {
    const { ways } = this.#office
    return await (to === undefined ? ways.dialOriginal(this.#port, this.socket) : ways.dial(to, this.socket))
  }

  complete(upstream: Upstream, rest: Buffer | undefined): void {
    const goesOn = this.#exchange?.response.persists === true && rest === undefined
    this.#exchange = undefined
    if (rest !== undefined) this.socket.write(rest)
    this.#kept.put(upstream)
    if (goesOn) this.#next()
    else this.finish()
  }

  tunnel(upstream: Upstream, rest: Buffer | undefined): void {
    const { socket } = this
    const server = upstream.socket
    upstream.release()
    this.#exchange = undefined
    this.#closed() // the conversation; both sockets go on
    listenTo(socket, undefined)
    socket.off('end', this.#ended)
    socket.off('close', this.#closed)
    socket.off('drain', this.#drained)
    if (rest !== undefined) socket.write(rest)
    if (this.#held.length > 0) server.write(this.#held)
    if (this.#callerEnded) server.end()
    join(socket, server)
    if (!server.writableNeedDrain) socket.resume()
    if (!socket.writableNeedDrain) server.resume()
  }

  /** Nothing more is answered: FIN, and the rest of what the caller says is thrown away. */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#exchange?.close()
    this.#exchange = undefined
    this.#kept.close()
    const { socket } = this
    if (this.#callerEnded && socket.writableLength === 0) {
      socket.destroy() // nothing can come any more that would make a RST of it
      return
    }
    socket.end()
    socket.resume()
    const linger = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(linger))
  }

  abort(): void {
    this.socket.resetAndDestroy()
  }

  nobody(): void {
    this.#refuse('502 Bad Gateway')
  }

  flow(): void {
    if (this.#finished) return
    const exchange = this.#exchange
    const wait = exchange !== undefined && (exchange.sent ? this.#held.length > MAX_HELD : exchange.full)
    if (wait !== this.socket.isPaused()) wait ? this.socket.pause() : this.socket.resume()
  }
}

function upTo(bytes: Buffer, end: number): Buffer {
  return end === bytes.length ? bytes : bytes.subarray(0, end)
}
