// RFC 6298: the retransmission time-out from measured round trips, one at a time.
import { type Seq, seqLe } from './seq.ts'

/** RFC 6298 §2.1, before the first sample. */
const RTO_FIRST_MS = 1_000
/** RFC 6298 §5.7: before the first sample, when the SYN|ACK had to be sent again. */
const RTO_AFTER_SYN_MS = 3_000
/**
 * RFC 6298 §2.4 says one second; here the peer is the kernel of the same machine, whose own minimum is 200 ms and which delays
 * ACKs by at most 200 ms when it delays them (40 ms usually).
 */
const RTO_MIN_MS = 200
/** RFC 6298 §2.5. */
const RTO_MAX_MS = 60_000
/** RFC 6298 §2: the grain of the clock; timers have a millisecond. */
const GRAIN_MS = 1

export class Rtt {
  /** Smoothed round trip and its variation in ms; 0 before the first sample. */
  srtt = 0
  rttvar = 0
  #rto = RTO_FIRST_MS
  /** Time-outs in a row. */
  backoff = 0
  #timing: boolean = false
  #end: Seq = 0
  #sentAt = 0

  /** RTO in ms, doubled for each time-out in a row. */
  get rto(): number {
    return Math.min(this.#rto * 2 ** this.backoff, RTO_MAX_MS)
  }

  /** Bytes up to `end` leave for the first time. */
  begin(end: Seq, now: number): void {
    if (this.#timing) return
    this.#timing = true
    this.#end = end
    this.#sentAt = now
  }

  /** Something is sent again: an ACK may now belong to either copy (Karn's algorithm, RFC 6298 §3). */
  cancel(): void {
    this.#timing = false
  }

  /** New bytes up to `ack` are acknowledged. Ends the back-off even without a sample, as BSD and Linux do: the path works. */
  acknowledged(ack: Seq, now: number): void {
    this.backoff = 0
    if (!this.#timing || !seqLe(this.#end, ack)) return
    this.#timing = false
    const r = Math.max(now - this.#sentAt, 0)
    if (this.srtt === 0) {
      this.srtt = r
      this.rttvar = r / 2
    } else {
      this.rttvar = 0.75 * this.rttvar + 0.25 * Math.abs(this.srtt - r)
      this.srtt = 0.875 * this.srtt + 0.125 * r
    }
    this.#rto = Math.max(this.srtt + Math.max(GRAIN_MS, 4 * this.rttvar), RTO_MIN_MS)
  }

  /** The handshake needed a second SYN|ACK, so there is no sample of it. */
  slowHandshake(): void {
    this.#rto = RTO_AFTER_SYN_MS
  }
}
