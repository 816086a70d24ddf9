// A caller has come: what does he speak? HTTP is routed request by request, all else goes to an original as it is.
import type { Socket } from 'node:net'
import type { RouterPort } from '../../lib/router/config.ts'
import { sniff } from '../../lib/router/sniff.ts'
import { join } from '../../lib/tunnel/join.ts'
import { listenTo } from '../connect.ts'
import { Conversation } from './conversation.ts'
import type { Http2Callers } from './http2-callers.ts'
import type { Guest, Office } from './office.ts'

/** A caller who has said nothing for so long may be waiting for the server to speak first, ms: an original is asked. */
const SILENCE_MS = 250
/** A caller whose first line has not become one after this, ms, speaks something else. */
const UNDECIDED_MS = 5_000

export interface ReceptionOptions {
  office: Office
  port: RouterPort
  http2: Http2Callers
  /** Who answers for the caller from now on; undefined: nobody who could be asked anything. */
  handedOver(guest: Guest | undefined): void
}

/** The caller's first bytes decide. The socket belongs to whoever gets it. */
export class Reception implements Guest {
  readonly #socket: Socket
  readonly #options: ReceptionOptions
  #said: Buffer = Buffer.alloc(0)
  #timer: NodeJS.Timeout
  /** An original that may speak first. */
  #server: Socket | undefined
  #over = false

  constructor(socket: Socket, options: ReceptionOptions) {
    this.#socket = socket
    this.#options = options
    this.#timer = setTimeout(() => void this.#listen(), SILENCE_MS)
    listenTo(socket, this.#heard)
    socket.on('end', this.#ended)
    socket.on('close', this.#closed)
  }

  retire(): void {}

  endIfIdle(): boolean {
    if (this.#said.length > 0) return false
    this.#closed()
    this.#socket.destroySoon()
    return true
  }

  readonly #heard = (bytes: Buffer): void => {
    const first = this.#said.length === 0
    this.#said = first ? bytes : Buffer.concat([this.#said, bytes])
    const protocol = sniff(this.#said)
    if (protocol === undefined) {
      if (!first) return
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#other(), UNDECIDED_MS)
      return
    }
    if (protocol === 'other') {
      this.#other()
      return
    }
    this.#release()
    this.#server?.destroy()
    const { office, port, http2, handedOver } = this.#options
    if (protocol === 'http1') handedOver(new Conversation(this.#socket, this.#said, port, office))
    else {
      handedOver(undefined)
      http2.take(this.#socket, this.#said)
    }
  }

  /** Half of a connection that has said nothing to be routed by. */
  readonly #ended = (): void => this.#other()

  readonly #closed = (): void => {
    this.#release()
    this.#server?.destroy()
  }

  #other(): void {
    this.#release()
    this.#server?.destroy()
    const { office, port, handedOver } = this.#options
    handedOver(undefined)
    void office.ways.originals.take(this.#socket, port.original, this.#said.length === 0 ? [] : [this.#said])
  }

  /** Databases and mail servers greet; HTTP servers wait, and then so does this. */
  async #listen(): Promise<void> {
    const { office, port } = this.#options
    const server = await office.ways.originals.dial(this.#socket, port.original)
    if (this.#over || server === undefined) {
      server?.destroy()
      return
    }
    this.#server = server
    server.once('data', (greeting: Buffer) => {
      if (this.#over) return
      this.#server = undefined
      this.#release()
      this.#options.handedOver(undefined)
      this.#socket.write(greeting)
      if (this.#said.length > 0) server.write(this.#said)
      join(this.#socket, server)
    })
    // It has not waited for the caller's word; without a router the caller would see it go.
    server.once('end', () => {
      if (!this.#over) this.endIfIdle()
    })
  }

  #release(): void {
    this.#over = true
    clearTimeout(this.#timer)
    listenTo(this.#socket, undefined)
    this.#socket.off('end', this.#ended)
    this.#socket.off('close', this.#closed)
  }
}
