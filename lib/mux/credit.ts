// spec.md, "Credit": the receive window of one stream, and what all windows of a side may add up to.

/** Window of a new stream when memory is free, bytes. */
export const FIRST_WINDOW = 262_144
/** Window that every stream gets as long as there is one at all, bytes. */
export const LEAST_WINDOW = 8_192
/** Largest window of one stream, bytes: 100 MB/s over 80 ms. */
export const MAX_WINDOW = 8_388_608
/**
 * Beyond this sum no window is larger than it must be, bytes: what an unread session costs with up to some hundred streams. Twice as
 * much makes an agent with 64 flows 30 MB larger and no faster.
 */
export const SPARE_WINDOW = 16_777_216
/** All windows together, bytes: the above, and the least for 8,192 streams. */
export const TOTAL_WINDOW = SPARE_WINDOW + 8_192 * LEAST_WINDOW
/** A new stream gets this part of what is left to spare: the first 32 get FIRST_WINDOW, from the 140th on it is LEAST_WINDOW. */
const SHARE = 32
/** Credit is returned in steps of an eighth of the window, but not below this, bytes: a CREDIT frame per DATA frame is enough. */
const LEAST_STEP = 65_536
/** Added to the round trip when judging whether the window sets the pace, ms: hops are scheduled, not clocked. */
export const PACE_ALLOWANCE_MS = 10

/** The memory that one side has promised to its peer. */
export class Budget {
  #promised = 0

  get promised(): number {
    return this.#promised
  }

  /** The window of a new stream; 0: there is no memory for one more. */
  first(): number {
    if (this.#promised + LEAST_WINDOW > TOTAL_WINDOW) return 0
    const share = Math.floor((SPARE_WINDOW - this.#promised) / SHARE)
    const window = Math.min(FIRST_WINDOW, Math.max(LEAST_WINDOW, share))
    this.#promised += window
    return window
  }

  /** True: `window` may become twice as large, and is counted so. */
  double(window: number): boolean {
    if (window * 2 > MAX_WINDOW || this.#promised + window > SPARE_WINDOW) return false
    this.#promised += window
    return true
  }

  release(window: number): void {
    this.#promised -= window
  }
}

export class ReceiveWindow {
  readonly #budget: Budget
  #window: number
  #granted: number
  #received = 0
  // Since when, and how much, credit has been returned for the present half of the window.
  #stepBegan = Number.NEGATIVE_INFINITY
  #stepGiven = 0

  /** `granted`: what the peer may send before it hears from us, bytes. */
  constructor(budget: Budget, window: number, granted: number) {
    this.#budget = budget
    this.#window = window
    this.#granted = granted
  }

  /** Bytes that this stream can make us keep. */
  get window(): number {
    return this.#window
  }

  /** False: the peer has sent more than it may. */
  arrive(length: number): boolean {
    this.#received += length
    return this.#received <= this.#granted
  }

  /** Credit worth returning when `kept` of the received bytes have not been read yet, else 0. */
  due(kept: number): number {
    const credit = this.#received - kept + this.#window - this.#granted
    return credit >= Math.max(this.#window / 8, Math.min(this.#window / 2, LEAST_STEP)) ? credit : 0
  }

  /** As `due`, and the credit counts as given. Grows the window if half of it went in less than `roundTripMs` and the allowance. */
  give(kept: number, now: number, roundTripMs: number): number {
    const credit = this.due(kept)
    if (credit === 0) return 0
    this.#granted += credit
    if (this.#received === 0) return credit // the first CREDIT says nothing about the pace
    this.#stepGiven += credit
    if (this.#stepGiven * 2 < this.#window) return credit
    const sets = now - this.#stepBegan < roundTripMs + PACE_ALLOWANCE_MS
    this.#stepBegan = now
    this.#stepGiven = 0
    if (!sets || !this.#budget.double(this.#window)) return credit
    this.#granted += this.#window
    this.#window *= 2
    return credit + this.#window / 2
  }

  release(): void {
    this.#budget.release(this.#window)
    this.#window = 0
  }
}
