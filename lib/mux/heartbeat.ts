// spec.md, "Heartbeat" and "What is on the way": PINGs, the round trips they measure, and the silence that ends a session.
import { setU32, u32 } from './frame.ts'

/** Between two PINGs, ms. */
export const PING_MS = 5_000
/**
 * Without an answer to a PING for this long the carrier is given up, ms. The peer's own PINGs are none: where only our direction is dead, they
 * still come for a while. With the time to the next PING it is less than 15 s.
 */
export const SILENCE_MS = 9_000
/** The same after our own process was stopped, ms, counted from its waking: what has come meanwhile is still to be read. */
const WAKING_MS = 5_000
/** A pause of bulk streams for a PING on an empty way lasts no longer than this, ms. */
const PROBE_MS = 2_000

export class Heartbeat {
  #pingAt: number
  #number = 0
  #sentAt = Number.NEGATIVE_INFINITY
  #answered = true
  /** Since when an answer is missing; infinite while none is. */
  #waitingSince = Number.POSITIVE_INFINITY
  #alone = false
  #probeUntil = Number.NEGATIVE_INFINITY
  /** The last PING that was answered, ms; 0 before the first. */
  roundTripMs = 0

  constructor(now: number) {
    this.#pingAt = now
  }

  get deadline(): number {
    const deadline = Math.min(this.#pingAt, this.#waitingSince + SILENCE_MS)
    return this.#probeUntil > 0 ? Math.min(deadline, this.#probeUntil) : deadline
  }

  /** Something has come that a peer which hears nothing of us would not send for long: DATA, or an ACK of something new. */
  heard(now: number): void {
    if (!this.#answered) this.#waitingSince = now
  }

  /** A new carrier: what was asked on the last one is not waited for, and the first PING is due at once. */
  restart(now: number): void {
    this.#pingAt = now
    this.#answered = true
    this.#waitingSince = Number.POSITIVE_INFINITY
    this.#probeUntil = Number.NEGATIVE_INFINITY
  }

  /** What is due by now: a PING, or the end. */
  timeout(now: number): 'ping' | 'dead' | undefined {
    if (now >= this.#probeUntil) this.#probeUntil = Number.NEGATIVE_INFINITY
    if (now - this.#waitingSince >= SILENCE_MS) {
      // A process that was stopped has not listened either.
      if (now - this.#pingAt < PING_MS) return 'dead'
      this.#waitingSince = now - SILENCE_MS + WAKING_MS
    }
    return now >= this.#pingAt ? 'ping' : undefined
  }

  /** The payload of a PING that leaves now; `alone`: hardly anything else is on the way. */
  ping(now: number, alone: boolean): Uint8Array {
    this.#pingAt = now + PING_MS
    this.#number = (this.#number + 1) >>> 0
    this.#sentAt = now
    if (this.#answered) this.#waitingSince = now
    this.#answered = false
    this.#alone = alone
    const payload = new Uint8Array(8)
    setU32(payload, 4, this.#number)
    return payload
  }

  /** The round trip that an answer has measured, unless it came too late or was never asked for. */
  pong(payload: Uint8Array, now: number): { ms: number; alone: boolean } | undefined {
    if (this.#answered) return undefined
    if (u32(payload, 4) !== this.#number) {
      this.#waitingSince = this.#sentAt // the answer to an earlier one: slow, but not dead
      return undefined
    }
    this.#answered = true
    this.#waitingSince = Number.POSITIVE_INFINITY
    this.roundTripMs = now - this.#sentAt
    if (this.#alone) this.#probeUntil = Number.NEGATIVE_INFINITY
    return { ms: this.roundTripMs, alone: this.#alone }
  }

  /** Bulk streams pause so that a PING finds the way empty. */
  probe(now: number): void {
    this.#probeUntil = now + PROBE_MS
  }
  get probing(): boolean {
    return this.#probeUntil > 0
  }
  /** No PING is waiting for its answer. */
  get answered(): boolean {
    return this.#answered
  }
}
