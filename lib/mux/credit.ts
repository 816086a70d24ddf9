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
 * What windows add up to beyond the least of each, bytes: what an unread session costs with up to some hundred streams. Twice as
 * much makes an agent with 64 flows 30 MB larger and no faster. On a long way one stream alone needs more.
 */
export const SPARE_WINDOW = 16_777_216
/** No more of it than this is for first windows: however many streams rest with theirs, others can grow. */
const FIRST_WINDOWS_PART = 3 / 4
/** A new stream gets this part of what is left of that: on a short way the first 33 get FIRST_WINDOW, the 100th 12 KiB. */
const FIRST_WINDOW_PART = 1 / 16
/**
 * No window grows by more than this part of what is left when its own growth is not counted, so that some is left for whoever comes
 * (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998); who has more gives it back as others grow.
 */
const MOST_PART = 3 / 4
/** All windows together, bytes: the most that may be spared, and the least for 8,192 streams. */
export const TOTAL_WINDOW = Math.ceil(MAX_WINDOW / MOST_PART) + 8_192 * LEAST_WINDOW
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

/** What windows on such a way add up to beyond the least of each, bytes. */
function spare(roundTripMs: number): number {
  return Math.max(SPARE_WINDOW, usable(roundTripMs) / MOST_PART)
}

/** The window of a stream that has not shown that it needs more, bytes, as long as memory is free. */
export function firstWindow(roundTripMs: number): number {
  return Math.max(FIRST_WINDOW, Math.floor(FIRST_RATE * roundTripMs))
}

/** What a stream has of a Budget, bytes: what it began with, and by how much that has grown. */
export interface Share {
  first: number
  grown: number
}

/** The memory that one side has promised to its peer. */
export class Budget {
  #streams = 0
  #promised = 0
  #grown = 0

  get promised(): number {
    return this.#promised
  }

  /** The window of a new stream on a way with such a round trip; 0: there is no memory for one more. */
  first(roundTripMs: number): number {
    if (this.#promised + LEAST_WINDOW > TOTAL_WINDOW) return 0
    const left = spare(roundTripMs) * FIRST_WINDOWS_PART - (this.#spared - this.#grown)
    const more = Math.max(0, Math.floor(left * FIRST_WINDOW_PART))
    const window = Math.min(firstWindow(roundTripMs), LEAST_WINDOW + more, TOTAL_WINDOW - this.#promised)
    this.#streams += 1
    this.#promised += window
    return window
  }

  /** By how much a window may grow, at most to GROWTH times its size and to what such a way can use; below 0: it has too much. Nothing is counted yet. */
  room({ first, grown }: Share, roundTripMs: number): number {
    const left = spare(roundTripMs) - this.#spared
    const fair = Math.floor(MOST_PART * (left + grown) - grown)
    if (fair < 0) return Math.max(fair, -grown)
    const window = first + grown
    const use = Math.max(0, Math.floor(usable(roundTripMs)) - window)
    return Math.min(fair, (GROWTH - 1) * window, use, TOTAL_WINDOW - this.#promised)
  }

  /** The window has grown by so much, or become smaller. */
  resize(share: Share, by: number): void {
    const grown = Math.max(0, share.grown + by)
    share.first += share.grown + by - grown
    this.#grown += grown - share.grown
    this.#promised += by
    share.grown = grown
  }

  /** The stream is gone. */
  release(share: Share): void {
    this.resize(share, -share.first - share.grown)
    this.#streams -= 1
  }

  /** What windows are larger than they must be. */
  get #spared(): number {
    return this.#promised - this.#streams * LEAST_WINDOW
  }
}

export class ReceiveWindow {
  readonly #budget: Budget
  readonly #share: Share
  #granted: number
  #received = 0
  // Since when, and how much, credit has been returned for the present half of the window.
  #stepBegan = Number.NEGATIVE_INFINITY
  #stepGiven = 0
  #released = false

  /** `granted`: what the peer may send before it hears from us, bytes. */
  constructor(budget: Budget, window: number, granted: number) {
    this.#budget = budget
    this.#share = { first: window, grown: 0 }
    this.#granted = granted
  }

  /** Bytes that this stream can make us keep. */
  get window(): number {
    return this.#share.first + this.#share.grown
  }

  /** False: the peer has sent more than it may. */
  arrive(length: number): boolean {
    this.#received += length
    return this.#received <= this.#granted
  }

  /** Credit worth returning when `kept` of the received bytes have not been read yet, else 0. */
  due(kept: number): number {
    const credit = this.#credit(kept)
    return credit >= Math.max(this.window / 8, Math.min(this.window / 2, LEAST_STEP)) ? credit : 0
  }

  /** The credit that is due should not wait for an ACK. Who has sent nothing yet can wait for the first thing that leaves. */
  urgent(kept: number): boolean {
    return this.#received > 0 && this.#credit(kept) * URGENT_PART >= this.window
  }

  /** As `due`, and the credit counts as given. The window grows if half of it went in less than `roundTripMs` and the allowance. */
  give(kept: number, now: number, roundTripMs: number): number {
    let credit = this.due(kept)
    if (credit === 0) return 0
    // The first CREDIT says nothing about the pace.
    if (this.#received > 0) {
      this.#stepGiven += credit
      if (this.#stepGiven * 2 >= this.window) credit += this.#resize(credit, now, roundTripMs)
    }
    this.#granted += credit
    return credit
  }

  /** What half of a window has shown. What others need is given back out of the `credit` that would be returned. */
  #resize(credit: number, now: number, roundTripMs: number): number {
    const sets = now - this.#stepBegan < roundTripMs + PACE_ALLOWANCE_MS
    this.#stepBegan = now
    this.#stepGiven = 0
    const room = this.#budget.room(this.#share, roundTripMs)
    const by = room < 0 ? Math.max(room, -credit) : sets ? room : 0
    this.#budget.resize(this.#share, by)
    return by
  }

  /** The peer will not use so much of its credit; what has not been given of the window is not given any more. False: it has not got as much. */
  returned(credit: number, kept: number): boolean {
    if (credit > this.#granted - this.#received) return false
    this.#budget.resize(this.#share, -credit - this.#credit(kept))
    this.#granted -= credit
    return true
  }

  #credit(kept: number): number {
    return this.#received - kept + this.window - this.#granted
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#budget.release(this.#share)
  }
}
