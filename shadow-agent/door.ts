// Who comes in: carriers that prove the key of the session, one at a time.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { MuxSession } from '../lib/mux/session.ts'
import { agentHandshake } from '../lib/tunnel/handshake.ts'
import { serve } from './serve.ts'

/** Carriers that have proved nothing yet. */
const MAX_STRANGERS = 16

export interface DoorOptions {
  version: string
  /** Ed25519, SPKI PEM. */
  publicKey: string
  log(line: string): void
  /** A session has begun; or, with undefined, the last one has ended. */
  changed(session: MuxSession | undefined): void
}

export class Door {
  readonly #options: DoorOptions
  readonly #instance = randomBytes(16)
  #strangers = 0
  #session: MuxSession | undefined

  constructor(options: DoorOptions) {
    this.#options = options
  }

  /** A carrier has come. Never rejects. */
  async enter(carrier: Socket): Promise<void> {
    carrier.on('error', () => {})
    if (this.#strangers >= MAX_STRANGERS) {
      carrier.destroy()
      return
    }
    this.#strangers += 1
    try {
      const { sessionId } = await agentHandshake(carrier, {
        publicKey: this.#options.publicKey,
        instance: this.#instance
      })
      this.#begin(carrier, sessionId)
    } catch (error) {
      this.#options.log(`refused a carrier: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      this.#strangers -= 1
    }
  }

  async close(): Promise<void> {
    await this.#session?.close()
  }

  #begin(carrier: Socket, sessionId: string): void {
    const { version, log, changed } = this.#options
    const instance = this.#instance.toString('hex')
    const replaced = this.#session
    const session = new MuxSession(carrier, {
      role: 'agent',
      onStream: (stream, request) => serve(stream, request, { version, instance })
    })
    this.#session = session
    void replaced?.close('replaced')
    log(`session ${sessionId.slice(0, 8)} began`)
    changed(session)
    void session.closed.then(({ code, error }) => {
      log(`session ${sessionId.slice(0, 8)} ended: ${code}${error === undefined ? '' : ` (${error.message})`}`)
      if (this.#session !== session) return
      this.#session = undefined
      changed(undefined)
    })
  }
}
