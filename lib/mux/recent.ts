// Does a stream send little or much? spec.md, "Order of sending".

/** A stream that sent less than this in SHORT_MS sends little, bytes: a screen of text, a request, its headers. */
export const LITTLE_BYTES = 16_384
const SHORT_MS = 100
/**
 * And less than this in LONG_MS: with 64 flows in bulk each has its turn, and a pause of 100 ms now and then. Taken for interactive, they left a
 * quarter of what may be on the way, for all.
 */
const LONG_MS = 500
const LONG_BYTES = (LITTLE_BYTES * LONG_MS) / SHORT_MS

/** Counts in windows that begin with the first bytes after the last window's end. Times in ms. */
export class Recent {
  #bytes = 0
  #since = Number.NEGATIVE_INFINITY
  #longBytes = 0
  #longSince = Number.NEGATIVE_INFINITY
  /** Of the long window before. */
  #wasMuch = false

  /** Time has passed. */
  pass(now: number): void {
    if (now - this.#since > SHORT_MS) {
      this.#bytes = 0
      this.#since = now
    }
    const past = now - this.#longSince
    if (past > LONG_MS) {
      this.#wasMuch = past <= 2 * LONG_MS && this.#longBytes >= LONG_BYTES
      this.#longBytes = 0
      this.#longSince = now
    }
  }

  /** So many bytes were sent, or have come. */
  add(length: number, now: number): void {
    this.pass(now)
    this.#bytes += length
    this.#longBytes += length
  }

  get little(): boolean {
    return this.#bytes < LITTLE_BYTES && this.#longBytes < LONG_BYTES && !this.#wasMuch
  }
}
