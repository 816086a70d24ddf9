// Callers who speak HTTP/2 with prior knowledge (RFC 9113 §3.3): each stream is a request of its own.
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { RouterPort } from '../../lib/router/config.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { HTTP2_OPTIONS, HTTP2_SETTINGS, Http2Servers, WINDOW_BYTES } from './http2-servers.ts'
import type { Office } from './office.ts'

/** Requests of one caller at a time. */
const MAX_STREAMS = 1_000

export class Http2Callers {
  readonly #server: Http2Server
  readonly #port: RouterPort
  readonly #office: Office
  readonly #sessions = new Set<ServerHttp2Session>()
  #socket: Socket | undefined
  #retired = false

  constructor(port: RouterPort, office: Office) {
    this.#port = port
    this.#office = office
    // It listens nowhere: it is given connections whose first bytes have been looked at.
    this.#server = createServer({
      ...HTTP2_OPTIONS,
      settings: { ...HTTP2_SETTINGS, maxConcurrentStreams: MAX_STREAMS }
    })
    this.#server.on('session', session => this.#began(session))
    this.#server.on('sessionError', () => {})
  }

  /** `said` is what has been read from the caller already. The socket is ours from now on. */
  take(socket: Socket, said: Buffer): void {
    socket.allowHalfOpen = false // HTTP/2 has its own ways to say that a direction has ended
    if (socket.readableFlowing === true) socket.pause() // or it would let go of what is put back
    socket.unshift(said)
    this.#socket = socket
    this.#server.emit('connection', socket)
  }

  /** The pod is being removed: GOAWAY; streams that are open go on to their end. */
  retire(): void {
    this.#retired = true
    for (const session of this.#sessions) session.close()
  }

  #began(session: ServerHttp2Session): void {
    const servers = new Http2Servers(this.#socket!, this.#port, this.#office)
    session.setLocalWindowSize(WINDOW_BYTES)
    session.on('error', () => {})
    this.#sessions.add(session)
    session.once('close', () => {
      this.#sessions.delete(session)
      servers.close()
    })
    session.on('stream', (stream: ServerHttp2Stream, headers, flags: number, raw: string[]) => {
      new Http2Exchange(stream, { headers, raw, flags, servers, port: this.#port, office: this.#office }).begin()
    })
    if (this.#retired) session.close()
  }
}
