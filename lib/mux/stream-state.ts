// One stream without its Duplex: what is queued to send, what may be sent, what may be received.
import { giveBlock, isBlock } from '../blocks.ts'
import type { ReceiveWindow } from './credit.ts'
import type { ResetCode } from './frame.ts'
import type { Gather } from './gather.ts'
import { Recent } from './recent.ts'

/** How a stream learns what happened. Called while bytes arrive or leave; none of them may throw. */
export interface StreamEvents {
  /** Bytes in order; valid during the call. */
  data(bytes: Uint8Array): void
  /** The peer's FIN: no more data. */
  ended(): void
  /** The stream is gone: by RESET of the peer, or with the session (`closed`). */
  reset(code: ResetCode): void
  /** Everything that was queued is in frames now. */
  taken(): void
  /** Received bytes that nobody has read yet. */
  kept(): number
}

/** Of a stream whose reader is not there yet. */
export const DEAF: StreamEvents = {
  data() {},
  ended() {},
  reset() {},
  taken() {},
  kept: () => 0
}

export class StreamState {
  readonly id: number
  readonly receive: ReceiveWindow
  /** Set right after construction, before anything can happen to the stream. */
  events: StreamEvents
  /** Bytes that may still be sent. */
  credit: number
  /** Bytes waiting to be sent. */
  queued = 0
  #queue: Uint8Array[] = []
  #head = 0
  #offset = 0
  /** Our FIN is queued or sent: no more bytes from us. */
  finished = false
  /** The peer's FIN has come. */
  ended = false
  /** Nothing is sent or reported any more. */
  gone = false
  /** In the list of streams whose credit is to be looked at. */
  creditNoted = false
  #moved = false
  // For the scheduler alone.
  place: 'none' | 'sparse' | 'bulk' = 'none'
  turn = 0
  readonly sent: Recent = new Recent()
  readonly #heard: Recent = new Recent()

  constructor(id: number, credit: number, receive: ReceiveWindow, events: StreamEvents) {
    this.id = id
    this.credit = credit
    this.receive = receive
    this.events = events
  }

  get sendable(): boolean {
    return this.queued > 0 && this.credit > 0 && !this.gone
  }

  /** Nothing was sent since the last such question. */
  rests(): boolean {
    const moved = this.#moved
    this.#moved = false
    return !moved && this.queued === 0 && !this.finished
  }

  /** Bytes have come. True: its peer sends little on it, by the measure of the scheduler there. */
  hearsLittle(length: number, now: number): boolean {
    this.#heard.add(length, now)
    return this.#heard.little
  }

  enqueue(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#queue.push(bytes)
    this.queued += bytes.length
  }

  /** Move `length` queued bytes into `gather`. */
  move(length: number, gather: Gather): void {
    this.queued -= length
    this.credit -= length
    this.#moved = true
    let left = length
    while (left > 0) {
      const bytes = this.#queue[this.#head]!
      const end = Math.min(this.#offset + left, bytes.length)
      const whole = this.#offset === 0 && end === bytes.length
      const copied = gather.append(whole ? bytes : bytes.subarray(this.#offset, end))
      left -= end - this.#offset
      this.#offset = end
      if (end === bytes.length) {
        this.#head += 1
        this.#offset = 0
        if (!whole || !copied) gather.used(bytes)
        else if (isBlock(bytes)) giveBlock(bytes)
      }
    }
    if (this.queued === 0) this.#forget()
  }

  discard(): void {
    this.queued = 0
    this.#forget()
  }

  #forget(): void {
    this.#queue = []
    this.#head = 0
    this.#offset = 0
  }
}
