// The send side's storage: what the caller has written, until it is acknowledged.
import { giveBlock, isBlock, takeBlock } from '../blocks.ts'
import type { Budget } from './budget.ts'

/** Chunks from this size on, in bytes, go to large blocks that are used again; few of those stay partly empty. */
const BULK_BYTES = 16_384
/** Blocks of the caller with this much in them, in bytes, are kept in place of a copy. */
const OWN_BYTES = 32_768
/** Size of the blocks for smaller chunks, in bytes. */
const SMALL_BLOCK_BYTES = 4096
/** Chunks that were dropped before the list is moved to the front of its array. */
const COMPACT_AFTER = 32

const NOTHING = new Uint8Array(0)

/** A queue of bytes with random access from its head. `#base` and positions count bytes since the connection began. */
export class SendQueue {
  #chunks: Uint8Array[] = []
  /** The first chunk still needed, and the position of its first byte. */
  #first = 0
  #firstAt = 0
  /** The chunk that was read last, and the position of its first byte: reading goes forward. */
  #cursor = 0
  #cursorAt = 0
  #base = 0
  /** The block that the last chunk is the beginning of, and how much of it is filled. */
  #block = NOTHING
  #filled = 0
  readonly #budget: Budget
  /** Bytes in the queue. */
  length = 0

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Append a block without a copy, if that wastes little; false: it was not taken. */
  take(block: Uint8Array): boolean {
    if (block.length < OWN_BYTES || !isBlock(block)) return false
    this.length += block.length
    this.#budget.used += block.length
    this.#chunks.push(block)
    this.#block = NOTHING
    this.#filled = 0
    return true
  }

  /** Append a copy. */
  push(bytes: Uint8Array): void {
    this.length += bytes.length
    this.#budget.used += bytes.length
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === this.#block.length) this.#open(bytes.length - at)
      const n = Math.min(this.#block.length - this.#filled, bytes.length - at)
      this.#block.set(n === bytes.length ? bytes : bytes.subarray(at, at + n), this.#filled)
      this.#filled += n
      at += n
      this.#chunks[this.#chunks.length - 1] = this.#block.subarray(0, this.#filled)
    }
  }

  /** Copy `n` bytes that start `offset` past the head to `target[at]`. */
  copyTo(target: Uint8Array, at: number, offset: number, n: number): void {
    let from = this.#base + offset
    if (from < this.#cursorAt) {
      this.#cursor = this.#first
      this.#cursorAt = this.#firstAt
    }
    while (n > 0) {
      const chunk = this.#chunks[this.#cursor]!
      const start = from - this.#cursorAt
      const part = Math.min(n, chunk.length - start)
      if (part > 0) {
        target.set(part === chunk.length ? chunk : chunk.subarray(start, start + part), at)
        at += part
        from += part
        n -= part
      }
      if (n > 0) {
        this.#cursorAt += chunk.length
        this.#cursor++
      }
    }
  }

  /** Forget `n` bytes at the head. */
  drop(n: number): void {
    this.length -= n
    this.#budget.used -= n
    this.#base += n
    if (this.length === 0) {
      this.#empty()
      return
    }
    const chunks = this.#chunks
    while (this.#firstAt + chunks[this.#first]!.length <= this.#base) {
      const chunk = chunks[this.#first]!
      this.#firstAt += chunk.length
      giveBlock(chunk)
      chunks[this.#first++] = NOTHING
    }
    if (this.#cursor < this.#first) {
      this.#cursor = this.#first
      this.#cursorAt = this.#firstAt
    }
    if (this.#first >= COMPACT_AFTER && this.#first * 2 >= chunks.length) {
      chunks.splice(0, this.#first)
      this.#cursor -= this.#first
      this.#first = 0
    }
  }

  clear(): void {
    this.drop(this.length)
  }

  #empty(): void {
    for (let i = this.#first; i < this.#chunks.length; i++) giveBlock(this.#chunks[i]!)
    this.#chunks.length = 0
    this.#first = this.#cursor = 0
    this.#firstAt = this.#cursorAt = this.#base
    this.#block = NOTHING
    this.#filled = 0
  }

  /** A new block, for `length` bytes and what comes behind them. */
  #open(length: number): void {
    if (length >= BULK_BYTES && !this.#budget.pressed) this.#block = takeBlock()
    // A first small chunk gets what it needs: most connections never have a second one waiting.
    else this.#block = new Uint8Array(this.#chunks.length === 0 ? length : Math.max(length, SMALL_BLOCK_BYTES))
    this.#filled = 0
    this.#chunks.push(NOTHING)
  }
}
