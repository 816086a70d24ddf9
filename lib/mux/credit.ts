// spec.md, "Credit": the receive window of one stream, and what all windows of a side may add up to.

/** Window of a new stream when memory is free, bytes; */
export const FIRST_WINDOW = 262_144
/** or, on a long way, what such a rate brings in a round trip, bytes per ms. */
const FIRST_RATE = 25_000
/** Window that every stream gets as long as there is one at all, bytes. */
export const LEAST_WINDOW = 8_192
/** Largest window of one stream, bytes: 200 MB/s over 80 ms, and the half of it and 20 ms more that may queue on the way. */
export const MAX_WINDOW = 33_554_432
/** No window is larger than what comes at this rate, bytes per ms, in a round trip and the time that bulk may queue on the way. */
const MAX_RATE = 200_000
const QUEUE_MS = 20
/** A window that sets the pace becomes so many times as large. */
const GROWTH = 4
/**
 * Beyond this sum no window is larger than it must be, bytes: what an unread session costs with up to some hundred streams. Twice as
 * much makes an agent with 64 flows 30 MB larger and no faster. On a long way it is what one stream can use.
 */
export const SPARE_WINDOW = 16_777_216
/** All windows together, bytes: the largest that may be spared, and the least for 8,192 streams. */
export const TOTAL_WINDOW = MAX_WINDOW + 8_192 * LEAST_WINDOW
/** A new stream gets this part of what is left to spare: on a short way the first 49 get FIRST_WINDOW, from the 110th on it is LEAST_WINDOW. */
const SHARE = 16
/** Credit is returned in steps of an eighth of the window, but not below this, bytes: a CREDIT frame per DATA frame is enough. */
const LEAST_STEP = 65_536
/** Such a step waits for the next ACK, but no longer than until half of the window is due. */
const URGENT_PART = 2
/** Added to the round trip when judging whether the window sets the pace, ms: hops are scheduled, not clocked. */
export const PACE_ALLOWANCE_MS = 10

/** The most that one stream can use on a way, bytes: what is on it, and what may queue there. */
function usable(roundTripMs: number): number {
  return Math.min(MAX_WINDOW, MAX_RATE * (1.5 * roundTripMs + QUEUE_MS))
}

/** What windows add up to before they stay as small as they can be, bytes: on a long way one stream alone needs more. */
function spare(roundTripMs: number): number {
  return Math.max(SPARE_WINDOW, usable(roundTripMs))
}

/** The memory that one side has promised to its peer. */
export class Budget {
  #promised = 0

  get promised(): number {
    return this.#promised
  }

  /** The window of a new stream on a way with such a round trip; 0: there is no memory for one more. */
  first(roundTripMs: number): number {
    if (this.#promised + LEAST_WINDOW > TOTAL_WINDOW) return 0
    const share = Math.floor((spare(roundTripMs) - this.#promised) / SHARE)
    const most = Math.max(FIRST_WINDOW, Math.floor(FIRST_RATE * roundTripMs))
    const window = Math.min(most, Math.max(LEAST_WINDOW, share))
    this.#promised += window
    return window
  }

  /** What `window` may grow by, at most to GROWTH times its size and to what a way with such a round trip can use; it is counted. */
  grow(window: number, roundTripMs: number): number {
    const room = Math.min(usable(roundTripMs) - window, spare(roundTripMs) - this.#promised)
    const more = Math.floor(Math.max(0, Math.min((GROWTH - 1) * window, room)))
    this.#promised += more
    return more
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
    const credit = this.#credit(kept)
    return credit >= Math.max(this.#window / 8, Math.min(this.#window / 2, LEAST_STEP)) ? credit : 0
  }

  /** The credit that is due should not wait for an ACK. Who has sent nothing yet can wait for the first thing that leaves. */
  urgent(kept: number): boolean {
    return this.#received > 0 && this.#credit(kept) * URGENT_PART >= this.#window
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
    if (!sets) return credit
    const more = this.#budget.grow(this.#window, roundTripMs)
    this.#granted += more
    this.#window += more
    return credit + more
  }

  #credit(kept: number): number {
    return this.#received - kept + this.#window - this.#granted
  }

  release(): void {
    this.#budget.release(this.#window)
    this.#window = 0
  }
}
