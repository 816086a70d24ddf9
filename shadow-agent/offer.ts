// A connection that came to this pod, offered to the laptop. Until the first byte of an answer it can still be given to the originals.
import type { Socket } from 'node:net'
import { MuxResetError, type MuxStream } from '../lib/mux/stream.ts'
import { join } from '../lib/tunnel/join.ts'
import { decodeVerdict, type Verdict } from '../lib/tunnel/request.ts'

/** What a caller may have said before an answer and still be given to somebody else, bytes: requests are shorter. */
const MAX_SAID_BYTES = 65_536
/** The same over all connections, bytes: a sixth of what the agent may use. */
const MAX_SAID_BYTES_IN_ALL = 16_777_216

/** What the local program itself has decided, or its computer: only `fallback` overrules it. */
const ANSWERS: ReadonlySet<Verdict> = new Set(['refused', 'reset', 'unreachable', 'timeout'])

export interface OfferOptions {
  /** The laptop is given this long to say something, ms. */
  graceMs: number
  /** Give to the originals what the local program refuses, too. */
  fallback: boolean
  /** The connection is not the laptop's. `said` is what has been read from it. */
  passOn(said: readonly Uint8Array[]): void
  /** There was no verdict in time. */
  silent(): void
  /** It is clear whose the connection is: `abandon` does nothing any more. */
  decided(): void
}

let saidInAll = 0

/** `socket`, offered by `stream`, which carries the request already. Both belong to the offer from now on. */
export class Offer {
  readonly #socket: Socket
  readonly #stream: MuxStream
  readonly #options: OfferOptions
  readonly #timer: NodeJS.Timeout
  readonly #said: Uint8Array[] = []
  #saidBytes = 0
  #opened = false
  #full = false
  #over = false

  constructor(socket: Socket, stream: MuxStream, options: OfferOptions) {
    this.#socket = socket
    this.#stream = stream
    this.#options = options
    this.#timer = setTimeout(this.#late, options.graceMs)
    stream.on('data', this.#answered)
    stream.on('end', this.#answerEnded)
    stream.on('close', this.#lost)
    stream.on('drain', this.#drained)
    socket.on('end', this.#callerEnded)
    socket.on('close', this.#callerGone)
    socket.on('data', this.#heard)
    if (stream.destroyed) this.#lost()
  }

  /** The laptop is not there any more: what it has not answered goes to the originals. */
  abandon(): void {
    if (!this.#over) this.#declined(true)
  }

  // ---- the caller --------------------------------------------------------------------------------------------------

  readonly #heard = (bytes: Uint8Array): void => {
    this.#said.push(bytes)
    this.#saidBytes += bytes.length
    saidInAll += bytes.length
    const flows = this.#stream.write(bytes)
    this.#full = this.#saidBytes > MAX_SAID_BYTES || saidInAll > MAX_SAID_BYTES_IN_ALL
    if (this.#full && this.#opened) this.#join()
    else if (this.#full || !flows) this.#socket.pause()
  }

  readonly #drained = (): void => {
    if (!this.#full) this.#socket.resume()
  }

  readonly #callerEnded = (): void => {
    this.#stream.end()
  }

  readonly #callerGone = (): void => {
    this.#release()
    this.#stream.reset('reset')
  }

  // ---- the laptop --------------------------------------------------------------------------------------------------

  readonly #answered = (bytes: Uint8Array): void => {
    let answer = bytes
    if (!this.#opened) {
      clearTimeout(this.#timer)
      const verdict = decodeVerdict(bytes[0]!)
      if (verdict !== 'opened') {
        this.#declined(!ANSWERS.has(verdict) || this.#options.fallback)
        return
      }
      this.#opened = true
      answer = bytes.subarray(1)
    }
    if (answer.length > 0 && !this.#socket.write(answer)) this.#stream.pause()
    if (answer.length > 0 || this.#full) this.#join()
  }

  readonly #answerEnded = (): void => {
    this.#socket.end()
    this.#join()
  }

  readonly #lost = (): void => {
    const error = this.#stream.errored
    // After `opened` only a lost laptop is no answer; any other RESET is what the local program did.
    this.#declined(!this.#opened || !(error instanceof MuxResetError) || error.resetCode === 'closed')
  }

  readonly #late = (): void => {
    this.#options.silent()
    this.#declined(true)
  }

  // ---- the decision ------------------------------------------------------------------------------------------------

  /** It is the laptop's from now on, whatever becomes of it. */
  #join(): void {
    this.#release()
    join(this.#socket, this.#stream)
    if (!this.#stream.writableNeedDrain) this.#socket.resume()
  }

  #declined(passOn: boolean): void {
    this.#release()
    this.#stream.destroy()
    if (passOn) this.#options.passOn(this.#said)
    else this.#socket.resetAndDestroy()
  }

  #release(): void {
    this.#over = true
    this.#options.decided()
    clearTimeout(this.#timer)
    saidInAll -= this.#saidBytes
    this.#saidBytes = 0
    this.#stream.off('data', this.#answered)
    this.#stream.off('end', this.#answerEnded)
    this.#stream.off('close', this.#lost)
    this.#stream.off('drain', this.#drained)
    this.#socket.off('end', this.#callerEnded)
    this.#socket.off('close', this.#callerGone)
    this.#socket.off('data', this.#heard)
  }
}
