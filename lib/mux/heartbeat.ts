// spec.md, "Heartbeat" and "What is on the way": PINGs, the round trips they measure, and the silence that ends a session.
import { setU32, u32 } from './frame.ts'

/** Between two PINGs, ms. */
export const PING_MS = 5_000
/** Without a byte from the peer for this long the carrier is given up, ms: both sides' PINGs and the answers to ours are missing, twice. */
export const SILENCE_MS = 12_000
/** The same after our own process was stopped, ms, counted from its waking: what has come meanwhile is still to be read. */
const WAKING_MS = 5_000
/** A pause of bulk streams for a PING on an empty way lasts no longer than this, ms. */
const PROBE_MS = 2_000

export class Heartbeat {
  #heardAt: number
  #pingAt: number
  #number = 0
  #sentAt = Number.NEGATIVE_INFINITY
  #answered = true
  #alone = false
  #probeUntil = Number.NEGATIVE_INFINITY
  /** The last PING that was answered, ms; 0 before the first. */
  roundTripMs = 0

  constructor(now: number) {
    this.#heardAt = now
    this.#pingAt = now
  }

  get deadline(): number {
    const deadline = Math.min(this.#pingAt, this.#heardAt + SILENCE_MS)
    return this.#probeUntil > 0 ? Math.min(deadline, this.#probeUntil) : deadline
  }

  /** Bytes have come. */
  heard(now: number): void {
    this.#heardAt = now
  }

  /** A new carrier: what was asked on the last one is not waited for, and the first PING is due at once. */
  restart(now: number): void {
    this.#heardAt = now
    this.#pingAt = now
    this.#answered = true
    this.#probeUntil = Number.NEGATIVE_INFINITY
  }

  /** What is due by now: a PING, or the end. */
  timeout(now: number): 'ping' | 'dead' | undefined {
    if (now >= this.#probeUntil) this.#probeUntil = Number.NEGATIVE_INFINITY
    if (now - this.#heardAt >= SILENCE_MS) {
      // A process that was stopped has not listened either.
      if (now - this.#pingAt < PING_MS) return 'dead'
      this.#heardAt = now - SILENCE_MS + WAKING_MS
    }
    return now >= this.#pingAt ? 'ping' : undefined
  }

  /** The payload of a PING that leaves now; `alone`: hardly anything else is on the way. */
  ping(now: number, alone: boolean): Uint8Array {
    this.#pingAt = now + PING_MS
    this.#number = (this.#number + 1) >>> 0
    this.#sentAt = now
    this.#answered = false
    this.#alone = alone
    const payload = new Uint8Array(8)
    setU32(payload, 4, this.#number)
    return payload
  }

  /** The round trip that an answer has measured, unless it came too late or was never asked for. */
  pong(payload: Uint8Array, now: number): { ms: number; alone: boolean } | undefined {
    if (this.#answered || u32(payload, 4) !== this.#number) return undefined
    this.#answered = true
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
