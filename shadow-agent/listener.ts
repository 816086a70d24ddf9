// One TCP port of this pod: open, or closed so that the kernel itself refuses callers.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { acceptFrom, SOCKET_BYTES } from './connect.ts'

/** Connections that the kernel may hold for us, as far as the node allows it (somaxconn). */
const BACKLOG = 4_096
/** A port that is lost while it is closed is tried again after this, ms: it may have become the near end of a connection of our own. */
const AGAIN_MS = 500

export class Listener {
  readonly #port: number
  readonly #onSocket: (socket: Socket) => void
  #server: Server | undefined
  #again: NodeJS.Timeout | undefined

  constructor(port: number, onSocket: (socket: Socket) => void) {
    this.#port = port
    this.#onSocket = onSocket
  }

  /** Listen at all addresses of the pod; rejects when the port cannot be had. */
  async listen(): Promise<void> {
    this.#server ??= this.#start()
    if (!this.#server.listening) await once(this.#server, 'listening')
  }

  /** Refuse new callers, or no longer; connections that are open stay. Called again: nothing new. */
  set open(open: boolean) {
    clearTimeout(this.#again)
    if (!open) {
      this.#server?.close()
      this.#server = undefined
    } else if (this.#server === undefined) {
      const server = this.#start()
      this.#server = server
      server.on('error', () => {
        if (server !== this.#server || server.listening) return
        this.#server = undefined
        this.#again = setTimeout(() => {
          this.open = true
        }, AGAIN_MS)
      })
    }
  }

  #start(): Server {
    const server = createServer({ allowHalfOpen: true, highWaterMark: SOCKET_BYTES })
    server.on('error', () => {})
    server.on('listening', () => acceptFrom(server, this.#onSocket))
    return server.listen({ port: this.#port, backlog: BACKLOG }) // `::` with IPv4 in it, or 0.0.0.0 where there is no IPv6
  }
}
