// A connection to a server, which belongs to one caller and has one request at a time.
import type { Socket } from 'node:net'
import { listenTo } from '../connect.ts'

/** Who is told what comes. */
export interface UpstreamListener {
  answered(bytes: Buffer, upstream: Upstream): void
  /** FIN: nothing more comes. */
  ended(upstream: Upstream): void
  /** It is gone without one. */
  lost(upstream: Upstream): void
  drained(): void
}

export class Upstream {
  /** Of the way it is for; empty: the originals. */
  readonly key: string
  readonly socket: Socket
  readonly openedAt = performance.now()
  /** When its last answer was complete; 0: it has not answered yet. */
  answeredAt = 0
  listener: UpstreamListener | undefined
  #over = false

  constructor(key: string, socket: Socket) {
    this.key = key
    this.socket = socket
    listenTo(socket, this.#data)
    socket.on('end', this.#ended)
    socket.on('close', this.#closed)
    socket.on('drain', this.#drained)
  }

  get reused(): boolean {
    return this.answeredAt !== 0
  }

  /** Nothing more is told; the socket goes on for somebody else. */
  release(): void {
    this.listener = undefined
    listenTo(this.socket, undefined)
    this.socket.off('end', this.#ended)
    this.socket.off('close', this.#closed)
    this.socket.off('drain', this.#drained)
  }

  /** Done with it: RST where the server may still be in the middle of a request. */
  close(): void {
    const busy = this.listener !== undefined && !this.#over
    this.release()
    if (busy) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  readonly #data = (bytes: Buffer): void => this.listener?.answered(bytes, this)
  readonly #drained = (): void => this.listener?.drained()

  readonly #ended = (): void => {
    this.#over = true
    this.listener?.ended(this)
  }

  readonly #closed = (): void => {
    if (!this.#over) this.listener?.lost(this)
    this.#over = true
  }
}
