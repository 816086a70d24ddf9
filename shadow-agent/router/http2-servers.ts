// HTTP/2 connections to servers, which belong to one caller.
import { type ClientHttp2Session, connect } from 'node:http2'
import type { Socket } from 'node:net'
import type { RouterPort } from '../../lib/router/config.ts'
import { MAX_HEAD } from '../../lib/router/http1-head.ts'
import { ROUTE_MS } from './kept.ts'
import type { Office } from './office.ts'
import type { Way } from './ways.ts'

/** What may be on the way to us, bytes, of one stream and of one connection: 13 MB/s at 80 ms to a laptop. */
export const WINDOW_BYTES = 1_048_576
/** Field lines of one message. */
const MAX_FIELDS = 2_000

export const HTTP2_SETTINGS = { initialWindowSize: WINDOW_BYTES, maxHeaderListSize: MAX_HEAD, enablePush: false }
export const HTTP2_OPTIONS = { maxHeaderListPairs: MAX_FIELDS, maxSendHeaderBlockLength: 2 * MAX_HEAD }

interface Opened {
  session: Promise<ClientHttp2Session | undefined>
  openedAt: number
}

export class Http2Servers {
  readonly #caller: Socket
  readonly #port: RouterPort
  readonly #office: Office
  readonly #byKey = new Map<string, Opened>()
  #closed = false

  /** `caller`: whose they are; when it goes, dials are given up. */
  constructor(caller: Socket, port: RouterPort, office: Office) {
    this.#caller = caller
    this.#port = port
    this.#office = office
  }

  /** The session for a way, undefined: the originals. It may be a kept one. Resolves to undefined when there is nobody. */
  async session(to: Way | undefined): Promise<{ session: ClientHttp2Session | undefined; reused: boolean }> {
    const key = to?.key ?? ''
    const kept = this.#byKey.get(key)
    const fresh = kept !== undefined && (to === undefined || performance.now() - kept.openedAt < ROUTE_MS)
    if (fresh) {
      const session = await kept.session
      if (session !== undefined && !session.closed && !session.destroyed) return { session, reused: true }
    } else void kept?.session.then(session => session?.close()) // when its streams have ended
    if (this.#byKey.get(key) === kept)
      this.#byKey.set(key, { session: this.#open(to, key), openedAt: performance.now() })
    return { session: await this.#byKey.get(key)?.session, reused: false }
  }

  close(): void {
    this.#closed = true
    // Streams of the caller have been closed with him; a copy for the laptop may finish.
    for (const { session } of this.#byKey.values()) void session.then(opened => opened?.close())
    this.#byKey.clear()
  }

  async #open(to: Way | undefined, key: string): Promise<ClientHttp2Session | undefined> {
    const { ways } = this.#office
    const socket = await (to === undefined ? ways.dialOriginal(this.#port, this.#caller) : ways.dial(to, this.#caller))
    if (socket === undefined || this.#closed) {
      socket?.destroy()
      this.#byKey.delete(key)
      return undefined
    }
    socket.allowHalfOpen = false // HTTP/2 has its own ways to say that a direction has ended
    const session = connect('http://kt', {
      ...HTTP2_OPTIONS,
      settings: HTTP2_SETTINGS,
      createConnection: () => socket
    })
    session.on('error', () => {}) // its streams are told, too
    session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES))
    session.once('close', () => this.#gone(key, session))
    session.once('goaway', () => this.#gone(key, session))
    return session
  }

  #gone(key: string, session: ClientHttp2Session): void {
    const kept = this.#byKey.get(key)
    void kept?.session.then(current => {
      if (current === session && this.#byKey.get(key) === kept) this.#byKey.delete(key)
    })
  }
}
