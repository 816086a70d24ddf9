// Is the laptop there? A session says so, until it has left a caller without a word.
import type { MuxSession } from '../lib/mux/session.ts'

/** The laptop, as those see it who have something for it. */
export class Laptop {
  #session: MuxSession | undefined
  #silentAt = -1
  #retired = false

  /** The session began, or ended. */
  set session(session: MuxSession | undefined) {
    this.#session = session
    this.#silentAt = -1
  }

  /** From now on there is none: this pod is being removed. */
  retire(): void {
    this.#retired = true
  }

  /** The session to offer something to; undefined: there is none, or nothing has come from it since it was found silent. */
  get session(): MuxSession | undefined {
    if (this.#retired || this.#session?.stats.receivedBytes === this.#silentAt) return undefined
    return this.#session
  }

  /** An offer has not been answered; `receivedBytes` is what the session had received when it was made. */
  silent(session: MuxSession, receivedBytes: number): void {
    if (session === this.#session && session.stats.receivedBytes === receivedBytes) this.#silentAt = receivedBytes
  }
}
