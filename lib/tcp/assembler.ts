// Out-of-order text: which bytes past RCV.NXT have arrived.

/** Separate ranges that are kept: a window of 4 MiB with every second super-segment missing has 32. */
const MAX_RANGES = 64

/** Sorted, disjoint, non-adjacent [from, to) pairs, as offsets from RCV.NXT. */
export class Assembler {
  readonly #ranges: number[] = []

  get empty(): boolean {
    return this.#ranges.length === 0
  }

  /** Where the last range ends; 0 when there is none. */
  get end(): number {
    return this.#ranges.at(-1) ?? 0
  }

  /**
   * Note [from, to); the number of bytes that are now contiguous from 0, which leave the assembler: all offsets count from
   * behind them afterwards. A range too many is not noted, as if its segment was lost.
   */
  add(from: number, to: number): number {
    const r = this.#ranges
    if (r.length === 0 && from === 0) return to
    let i = 0
    while (i < r.length && r[i + 1]! < from) i += 2
    let j = i
    while (j < r.length && r[j]! <= to) {
      from = Math.min(from, r[j]!)
      to = Math.max(to, r[j + 1]!)
      j += 2
    }
    if (from > 0 && i === j && r.length >= 2 * MAX_RANGES) return 0
    r.splice(i, j - i, from, to)
    if (r[0] !== 0) return 0
    const n = r[1]!
    r.splice(0, 2)
    for (let k = 0; k < r.length; k++) r[k]! -= n
    return n
  }

  clear(): void {
    this.#ranges.length = 0
  }
}
