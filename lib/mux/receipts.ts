// spec.md, "What is on the way": how many bytes of frames have come, and when the peer is told.
import { QUIET_MS } from './flight.ts'
import { ACK, setU64 } from './frame.ts'
import type { Gather } from './gather.ts'

/** An ACK is due from so many unacknowledged bytes on, when ACK_MS have passed since the last; and at once from ACK_NOW_BYTES on. */
const ACK_BYTES = 16_384
const ACK_NOW_BYTES = 524_288
const ACK_MS = 2
/** The same while nobody interactive is there, ms: the peer has 16 ms on the way then, and each ACK wakes every server between us. */
const ALONE_ACK_MS = 6

export class Receipts {
  /** Bytes of frames that have come since the session began, headers included. */
  received = 0
  #told = 0
  #toldAt = 0
  #hurriedAt = Number.NEGATIVE_INFINITY
  #gapMs = ACK_MS

  /** When the next ACK becomes due by the passing of time. */
  get deadline(): number {
    return this.received - this.#told < ACK_BYTES ? Number.POSITIVE_INFINITY : this.#toldAt + this.#gapMs
  }

  arrived(bytes: number, now: number): void {
    this.received += bytes
    this.#gapMs = now - this.#hurriedAt < QUIET_MS ? ACK_MS : ALONE_ACK_MS
  }

  /** A stream that sends little has sent, there or here: the peer has less on the way from now on, and waits for ACKs sooner. */
  hurry(now: number): void {
    this.#hurriedAt = now
  }

  due(now: number): boolean {
    const untold = this.received - this.#told
    return untold >= ACK_NOW_BYTES || (untold >= ACK_BYTES && now - this.#toldAt >= this.#gapMs)
  }

  /** An ACK into `gather` if one is due. */
  transmit(gather: Gather, now: number): void {
    if (!this.due(now)) return
    gather.header(ACK, 8, 0)
    const { slab, at } = gather.reserve(8)
    setU64(slab, at, this.received)
    this.told(now)
  }

  /** The peer knows what has come: by an ACK, or by the handshake of a new carrier. */
  told(now: number): void {
    this.#told = this.received
    this.#toldAt = now
  }
}
