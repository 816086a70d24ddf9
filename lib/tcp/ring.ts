// The receive side's storage: a byte queue that can also be written ahead of its tail, for text out of order.
import { BLOCK_BYTES, freeMemory } from '../blocks.ts'
import { ALWAYS_BYTES, type Budget } from './budget.ts'

/** The first storage, in bytes: a request or an answer of most protocols. */
const FIRST_BYTES = 4096

const NOTHING = new Uint8Array(0)

/** Holds no memory until something is written, then doubles as needed; what bounds it is the window its owner offers. */
export class Ring {
  #bytes = NOTHING
  #head = 0
  readonly #budget: Budget
  /** Bytes that can be read. */
  length = 0

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Bytes of memory held. */
  get capacity(): number {
    return this.#bytes.length
  }

  /** Copy `source[from, to)` to `offset` bytes past the tail without counting it yet; false: there is no memory for it. */
  writeAhead(offset: number, source: Uint8Array, from: number, to: number): boolean {
    const need = this.length + offset + to - from
    if (need > this.#bytes.length && !this.#grow(need)) return false
    const capacity = this.#bytes.length
    const at = (this.#head + this.length + offset) & (capacity - 1)
    const first = Math.min(to - from, capacity - at)
    this.#bytes.set(source.subarray(from, from + first), at)
    if (from + first < to) this.#bytes.set(source.subarray(from + first, to), 0)
    return true
  }

  /** Count `n` bytes that were written ahead. */
  commit(n: number): void {
    this.length += n
  }

  /** The contiguous bytes at the head, in place: valid until the next call of any other method. */
  peek(): Uint8Array {
    return this.#bytes.subarray(this.#head, Math.min(this.#head + this.length, this.#bytes.length))
  }

  drop(n: number): void {
    this.#head = (this.#head + n) & (this.#bytes.length - 1)
    this.length -= n
  }

  /** Begin at the front again, so that what comes next is contiguous. Only when nothing is written ahead. */
  rewind(): void {
    if (this.length === 0) this.#head = 0
  }

  /** Forget everything and give the memory back. */
  release(): void {
    this.#budget.used -= this.#bytes.length
    this.#free()
    this.#bytes = NOTHING
    this.#head = 0
    this.length = 0
  }

  /** Little is left to the garbage collector, which does it for many at once. */
  #free(): void {
    if (this.#bytes.length >= BLOCK_BYTES) freeMemory(this.#bytes.buffer)
  }

  #grow(need: number): boolean {
    const old = this.#bytes
    let capacity = Math.max(old.length, FIRST_BYTES)
    while (capacity < need) capacity *= 2
    const more = capacity - old.length
    if (capacity > ALWAYS_BYTES && this.#budget.used + more > this.#budget.limit) return false
    this.#budget.used += more
    const grown = new Uint8Array(capacity)
    grown.set(old.subarray(this.#head))
    grown.set(old.subarray(0, this.#head), old.length - this.#head)
    this.#free()
    this.#bytes = grown
    this.#head = 0
    return true
  }
}
