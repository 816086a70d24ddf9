// RFC 5681: how much may be in flight, behind three functions. Sizes in bytes.

/**
 * The initial window. RFC 6928 says ten segments, for a network that nobody knows yet. Here the way to the peer is the memory of
 * one machine: the device takes a segment or refuses it at once, nothing is queued and nothing is shared, so the peer's window is
 * the right limit from the first segment on. If segments are lost all the same, what follows is the RFC.
 */
const INITIAL_WINDOW = 1 << 20
/** Above this the window means nothing any more: larger than any window a peer offers. */
const MAX_WINDOW = 1 << 24

export class Congestion {
  readonly #mss: number
  cwnd = INITIAL_WINDOW
  ssthresh = MAX_WINDOW

  constructor(mss: number) {
    this.#mss = mss
  }

  /**
   * `bytes` were acknowledged, outside of a recovery. Slow start counts bytes, not ACKs (RFC 3465, without its limit): peers behind
   * a device with offload acknowledge dozens of segments at once.
   */
  onAck(bytes: number): void {
    const more = this.cwnd < this.ssthresh ? bytes : (this.#mss * Math.min(bytes, this.cwnd)) / this.cwnd
    this.cwnd = Math.min(this.cwnd + more, MAX_WINDOW)
  }

  /** Three duplicate ACKs, with `flight` bytes on the way (RFC 5681 §3.2). */
  onLoss(flight: number): void {
    this.ssthresh = Math.max(flight / 2, 2 * this.#mss)
    this.cwnd = this.ssthresh
  }

  /** A time-out, with `flight` bytes on the way (RFC 5681 §3.1, equation 4); one after the other they change nothing more. */
  onTimeout(flight: number): void {
    this.ssthresh = Math.max(flight / 2, 2 * this.#mss)
    this.cwnd = this.#mss
  }
}
