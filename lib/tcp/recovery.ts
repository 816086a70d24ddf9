// RFC 6582 (NewReno): fast retransmit and fast recovery from duplicate ACKs.
import type { Congestion } from './congestion.ts'
import { type Seq, seqLe, seqLt } from './seq.ts'

/** RFC 5681 §3.2. */
const DUPLICATES = 3

export class Recovery {
  readonly #mss: number
  readonly #congestion: Congestion
  #duplicates = 0
  #partialAcks = 0
  /** Losses up to here belong to the recovery that runs or ran. */
  #recover: Seq
  active: boolean = false
  /** The segment at SND.UNA is to be sent again, whatever the window says. */
  resend: boolean = false
  /** Bytes that may be in flight beyond cwnd: one segment for each that has left the network. */
  inflation = 0

  constructor(mss: number, congestion: Congestion, iss: Seq) {
    this.#mss = mss
    this.#congestion = congestion
    this.#recover = iss
  }

  /**
   * A partial ACK after the first does not restart the retransmission timer (the "Impatient variant" of RFC 6582 §4): one hole is
   * mended per round trip, so after many losses it is faster to begin anew.
   */
  get keepsTimer(): boolean {
    return this.active && this.#partialAcks > 1
  }

  /** A duplicate of the last ACK, with `flight` bytes on the way up to `max`. */
  duplicateAck(una: Seq, max: Seq, flight: number): void {
    this.#duplicates++
    if (this.active) {
      this.inflation += this.#mss
    } else if (this.#duplicates === DUPLICATES && seqLt(this.#recover, una)) {
      this.active = true
      this.#partialAcks = 0
      this.resend = true
      this.#recover = max
      this.#congestion.onLoss(flight)
      this.inflation = DUPLICATES * this.#mss
    }
  }

  /** `bytes` new bytes are acknowledged, up to `ack`. */
  newAck(ack: Seq, bytes: number): void {
    this.#duplicates = 0
    if (!this.active) {
      this.#congestion.onAck(bytes)
    } else if (seqLe(this.#recover, ack)) {
      this.#end()
    } else {
      // A partial ACK: the next hole begins right there (RFC 6582 §3.2, step 3).
      this.resend = true
      this.#partialAcks++
      this.inflation = Math.max(0, this.inflation - bytes) + (bytes >= this.#mss ? this.#mss : 0)
    }
  }

  /** Everything up to `max` is sent again by the time-out; duplicate ACKs up to there say nothing (RFC 6582 §3.2, step 4). */
  timeout(max: Seq): void {
    this.#recover = max
    this.#duplicates = 0
    this.#end()
  }

  #end(): void {
    this.active = false
    this.resend = false
    this.inflation = 0
  }
}
