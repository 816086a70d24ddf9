// Who comes in: carriers that prove the key of the session, one at a time; a session that has lost its carrier is kept for a while.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { MuxSession } from '../lib/mux/session.ts'
import { agentHandshake, type ClientHello } from '../lib/tunnel/handshake.ts'
import { serve } from './serve.ts'

/** Carriers that have proved nothing yet. */
const MAX_STRANGERS = 16

export interface DoorOptions {
  version: string
  /** Of the ssh door, or empty. */
  sshHostKey: string
  /** Ed25519, SPKI PEM. */
  publicKey: string
  /** A session without a carrier is kept for this long, ms. */
  orphanMs: number
  log(line: string): void
  /** A session has its carrier; or, with undefined, there is none that has, because its client has said goodbye or not. */
  changed(session: MuxSession | undefined, goodbye?: boolean): void
}

/** A session, and the name by which its client may come back to it. Only who has the key can say it. */
interface Guest {
  readonly sessionId: string
  readonly session: MuxSession
  orphaned: NodeJS.Timeout | undefined
}

export class Door {
  readonly #options: DoorOptions
  readonly #instance = randomBytes(16)
  #strangers = 0
  #guest: Guest | undefined
  /** Of the newest carrier: one that was under way for long must not take the place of a newer one. */
  #newest = 0
  #changing = false

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
      const hello = await agentHandshake(carrier, {
        publicKey: this.#options.publicKey,
        instance: this.#instance,
        admit: wish => this.#admit(wish)
      })
      if (hello.resume === undefined) this.#begin(carrier, hello.sessionId)
      else this.#goOn(carrier, hello.resume)
    } catch (error) {
      this.#options.log(`refused a carrier: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      this.#strangers -= 1
    }
  }

  /** End the session that is there, if there is one, and say so to its client. */
  async close(): Promise<void> {
    await this.#guest?.session.close()
  }

  #admit({ sessionId, number, resume }: ClientHello): number | 'gone' | 'late' {
    if (number <= this.#newest) return 'late'
    const guest = this.#guest
    if (resume !== undefined && guest?.sessionId !== sessionId) return 'gone'
    this.#newest = number
    if (resume === undefined || guest === undefined) return 0
    // Not one more byte may come from the last carrier, now that the client is told how many have.
    this.#changing = true
    guest.session.detach()
    this.#changing = false
    return guest.session.receivedBytes
  }

  #begin(carrier: Socket, sessionId: string): void {
    const { version, sshHostKey, log, changed } = this.#options
    const instance = this.#instance.toString('hex')
    const replaced = this.#guest
    const session = new MuxSession(carrier, {
      role: 'agent',
      onStream: (stream, request) => serve(stream, request, { version, instance, sshHostKey }),
      onDetached: error => this.#detached(guest, error)
    })
    const guest: Guest = { sessionId, session, orphaned: undefined }
    this.#guest = guest
    void replaced?.session.close('replaced')
    log(`session ${sessionId.slice(0, 8)} began`)
    changed(session)
    void session.closed.then(({ code, error }) => {
      clearTimeout(guest.orphaned)
      log(`session ${sessionId.slice(0, 8)} ended: ${code}${error === undefined ? '' : ` (${error.message})`}`)
      if (this.#guest !== guest) return
      this.#guest = undefined
      changed(undefined, code === 'done')
    })
  }

  #goOn(carrier: Socket, received: number): void {
    const guest = this.#guest
    // A session that ended meanwhile has told its client nothing: the end of the carrier does.
    if (guest?.session.resume(carrier, received) !== true) {
      carrier.destroy()
      return
    }
    clearTimeout(guest.orphaned)
    this.#options.log(`session ${guest.sessionId.slice(0, 8)} goes on`)
    this.#options.changed(guest.session)
  }

  #detached(guest: Guest, error: Error | undefined): void {
    if (this.#changing || this.#guest !== guest) return
    const { log, changed, orphanMs } = this.#options
    log(`session ${guest.sessionId.slice(0, 8)} lost its carrier${error === undefined ? '' : `: ${error.message}`}`)
    guest.orphaned = setTimeout(() => void guest.session.close('lost'), orphanMs)
    changed(undefined)
  }
}
