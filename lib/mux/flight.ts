// spec.md, "What is on the way": how much may be sent that the peer has not acknowledged. Measured as BBR does it, without its phases.

/** Never less than this on the way, bytes: one gathered write, and more than a receiver leaves unacknowledged. */
export const LEAST_FLIGHT = 65_536
/** Never more, bytes: 200 MB/s over 80 ms, and the half of it and 16 ms more that may queue. */
export const MAX_FLIGHT = 33_554_432
/** Streams that send little may have twice the bound on the way, but no more than this beyond it, bytes. */
export const SPARSE_FLIGHT = 4_194_304
/** Until something is measured, bytes; */
export const FIRST_FLIGHT = 262_144
/** or what this rate brings in a round trip, bytes per ms: 80 Mbit/s; at most this, because one measured round trip may be a stall. */
const FIRST_RATE = 10_000
const MAX_FIRST_FLIGHT = 524_288
/** Bulk may fill the way, and queue for this part of a round trip; */
const WAY_PART = 1.2
/** and for this one while nobody interactive is there. */
const ALONE_WAY_PART = 1.5
/** Time in hops that are scheduled rather than clocked, ms. More gains nothing on a loaded computer and delays an echo by as much. */
const HOP_MS = 4
/**
 * The same while nobody interactive is there, ms: nobody is late then, and the servers on the way always find something to do. In turns on
 * a crowded machine: up 46 and 63 → 78 and 89 MB/s, down 112 and 94 → 105 and 144.
 */
const ALONE_HOP_MS = 16
/** Nobody is there when no interactive stream has sent for this long, ms: longer than between two keys of a typist. */
export const QUIET_MS = 500
/**
 * An ACK is late when it takes so many round trips, and the time in hops or this, ms: it may have been held back for a while. A part as large as bulk may
 * queue for later, too; with 1.25 slow start ended at half of the rate on a crowded machine.
 */
const START_PART = ALONE_WAY_PART
const START_MS = 8
/** Slow start ends with so many late ACKs in a row: a few are late because a server on the way had no turn. */
const START_LATE = 4
/** What is left of the bound then, at least. */
const START_END_PART = 0.7
/**
 * A delivery rate is taken over at least this, ms, and over a round trip: a burst through a kernel's buffer is not a rate, nor is what comes when a server
 * that had no turn has one again. With 20 ms such bursts were taken for rates, and the queues they filled made the next ones.
 */
const SAMPLE_MS = 60
/** A delivery rate counts for one to two of these, ms. */
const RATE_MS = 1_000
/** The shortest round trip is believed for this long, ms. */
const ROUND_TRIP_MS = 10_000
/** One mark of the send time per so many bytes. */
const MARK_BYTES = 16_384
/** Marks kept: MAX_FLIGHT and what groups 1 and 2 add, with room to spare. */
const MAX_MARKS = 4_096

/** Of a position in the stream of frames: when it was sent. */
interface Mark {
  end: number
  sentAt: number
}

export class Flight {
  /** Bytes of frames sent since the session began. */
  sent = 0
  /** Of these, acknowledged. */
  acked = 0
  /** What the last ACK said; behind `acked` after the peer has told it in a handshake. */
  #told = 0
  #marked = 0
  #marks: Mark[] = []
  #firstMark = 0
  // The sample that is being taken: what was acknowledged when it began, and whether the bound, not a lack of bytes, set the pace.
  #sampleAcked = 0
  #sampleAt = 0
  #heard = false
  #full = false
  #rate = 0
  #earlierRate = 0
  #rateSince = 0
  #bound = FIRST_FLIGHT
  /** When each stream that sends little did so last, in this order; those of the last QUIET_MS at least. */
  readonly #interactive = new Map<number, number>()
  #probed = false
  // As long as nothing has shown how much the way carries, the bound grows by what is acknowledged.
  #starting = true
  #late = 0
  #roundTripAt = Number.NEGATIVE_INFINITY
  /** Shortest recent round trip, ms; 0 until one is known. */
  roundTripMs = 0

  /** Bytes that streams in bulk may have on the way. */
  get bound(): number {
    return this.#bound
  }
  /** Bytes that streams which send little may have there, with all others. */
  get sparseBound(): number {
    return this.#bound + Math.min(this.#bound, SPARSE_FLIGHT)
  }
  get onTheWay(): number {
    return this.sent - this.acked
  }
  /** Bytes per second, the best of the last one to two seconds. */
  get rate(): number {
    return Math.max(this.#rate, this.#earlierRate) * 1_000
  }

  /** Stream `by` sends little, and has sent what it had: what it sends next must not find a long queue. */
  interactive(by: number, now: number): void {
    const alone = this.#alone(now)
    this.#interactive.delete(by)
    this.#interactive.set(by, now)
    if (alone) this.#measure(now)
  }

  /** Stream `by` sends much: the little that it began with, the head of a message before its body, was not what nobody may delay. */
  bulk(by: number, now: number): void {
    if (this.#interactive.delete(by) && this.#alone(now)) this.#measure(now)
  }

  /** The bound has just held somebody back. */
  heldBack(): void {
    this.#full = true
  }

  /** The shortest round trip is too old to be believed. */
  stale(now: number): boolean {
    return now - this.#roundTripAt > ROUND_TRIP_MS
  }

  transmitted(bytes: number, now: number): void {
    this.sent += bytes
    if (this.sent - this.#marked < MARK_BYTES || this.#marks.length - this.#firstMark >= MAX_MARKS) return
    this.#marked = this.sent
    this.#marks.push({ end: this.sent, sentAt: now })
  }

  /** An ACK says that the peer has received everything up to `position`. False: it cannot have. */
  acknowledged(position: number, now: number): boolean {
    if (position > this.sent || position < this.#told) return false
    this.#told = position
    if (position < this.acked) return true // sent before the last carrier was lost, and again after it
    const newly = position - this.acked
    this.acked = position
    this.#heard = true
    let last: Mark | undefined
    while (this.#firstMark < this.#marks.length && this.#marks[this.#firstMark]!.end <= position) {
      last = this.#marks[this.#firstMark]!
      this.#firstMark += 1
    }
    if (this.#firstMark > 256) {
      this.#marks = this.#marks.slice(this.#firstMark)
      this.#firstMark = 0
    }
    if (last === undefined) return true
    this.roundTrip(now - last.sentAt, now, false)
    if (this.#starting) this.#start(newly, now - last.sentAt, now)
    return true
  }

  /** A new carrier, whose peer has told in the handshake what has arrived: nothing is known about its way. False: it cannot have. */
  resumed(position: number, now: number): boolean {
    if (position > this.sent || position < this.acked) return false
    this.acked = position
    this.#marks = []
    this.#firstMark = 0
    this.#marked = this.sent
    this.#sampleAcked = position
    this.#sampleAt = now
    this.#full = false
    this.#rate = 0
    this.#earlierRate = 0
    this.#probed = false
    this.#starting = true
    this.#late = 0
    this.#bound = FIRST_FLIGHT
    this.#roundTripAt = Number.NEGATIVE_INFINITY
    this.roundTripMs = 0
    return true
  }

  /** A round trip was measured. `alone`: nothing of ours was in its way, so that it replaces what was believed. */
  roundTrip(ms: number, now: number, alone: boolean): void {
    if (alone || this.roundTripMs === 0 || ms <= this.roundTripMs) {
      this.roundTripMs = Math.max(ms, 0.01)
      if (this.#starting) this.#bound = Math.max(this.#bound, Math.min(MAX_FIRST_FLIGHT, FIRST_RATE * ms))
      this.#roundTripAt = now
      this.#measure(now)
    }
  }

  /** All that came at `now` has been looked at. (A process that was kept waiting finds many ACKs at once: they are one sample.) */
  settle(now: number): void {
    if (!this.#heard) return // from ACK to ACK: between them nothing is known
    this.#heard = false
    const tookMs = now - this.#sampleAt
    if (tookMs < Math.max(SAMPLE_MS, this.roundTripMs)) return
    const rate = (this.acked - this.#sampleAcked) / tookMs
    const full = this.#full
    this.#sampleAcked = this.acked
    this.#sampleAt = now
    this.#full = false
    // A sender without enough to send proves only that the way is at least this fast.
    if (full) this.#probed = true
    else if (rate < Math.max(this.#rate, this.#earlierRate)) return
    if (now - this.#rateSince > RATE_MS) {
      this.#earlierRate = now - this.#rateSince > 2 * RATE_MS ? 0 : this.#rate
      this.#rate = 0
      this.#rateSince = now
    }
    this.#rate = Math.max(this.#rate, rate)
    this.#measure(now)
  }

  /** Slow start (RFC 5681 §3.1): twice as much every round trip if it is used, until ACKs come so late that they must have queued. */
  #start(newly: number, tookMs: number, now: number): void {
    const late = tookMs > START_PART * this.roundTripMs + Math.min(START_MS, this.#hopMs(now))
    this.#late = late ? this.#late + 1 : 0
    if (this.#late === START_LATE) {
      this.#late = 0
      this.#starting = false
      const least = START_END_PART * this.#bound
      this.#measure(now)
      this.#bound = Math.max(least, this.#bound)
    } else if (!late && (this.onTheWay + newly) * 2 >= this.#bound)
      this.#bound = Math.min(MAX_FLIGHT, this.#bound + newly)
  }

  #alone(now: number): boolean {
    for (const [by, at] of this.#interactive) {
      if (now - at < QUIET_MS) return false
      this.#interactive.delete(by)
    }
    return true
  }

  #hopMs(now: number): number {
    return this.#alone(now) ? ALONE_HOP_MS : HOP_MS
  }

  #measure(now: number): void {
    const rate = Math.max(this.#rate, this.#earlierRate)
    if (rate === 0) return
    const part = this.#alone(now) ? ALONE_WAY_PART : WAY_PART
    const bytes = rate * (part * this.roundTripMs + this.#hopMs(now))
    const least = this.#starting ? this.#bound : this.#probed ? LEAST_FLIGHT : FIRST_FLIGHT
    this.#bound = Math.min(MAX_FLIGHT, Math.max(least, bytes))
  }
}
