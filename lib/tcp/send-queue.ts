// The send side's storage: the caller's chunks, kept until they are acknowledged.
import type { Budget } from './budget.ts'

/**
 * Chunks below this size in bytes are copied together, larger ones kept by reference: a small chunk is often a piece of a
 * large buffer, and a thousand of them would hold a thousand buffers.
 */
const COPY_BELOW = 4096
/** Size of the blocks small chunks are copied into, in bytes. */
const BLOCK_BYTES = 4096
/** Chunks that were dropped before the list is moved to the front of its array. */
const COMPACT_AFTER = 32

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
  /** The block that small chunks go to, if it is the last chunk, and how much of it is filled. */
  #block: Uint8Array | undefined
  #filled = 0
  readonly #budget: Budget
  /** Bytes in the queue. */
  length = 0

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Append. From `COPY_BELOW` on the bytes stay where they are and must not be changed until they are dropped here. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.length += bytes.length
    this.#budget.used += bytes.length
    if (bytes.length < COPY_BELOW) {
      this.#pushCopy(bytes)
    } else {
      this.#chunks.push(bytes)
      this.#block = undefined
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
      this.#firstAt += chunks[this.#first]!.length
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
    this.#chunks.length = 0
    this.#first = this.#cursor = 0
    this.#firstAt = this.#cursorAt = this.#base
    this.#block = undefined
  }

  #pushCopy(bytes: Uint8Array): void {
    let block = this.#block
    if (block === undefined || this.#filled + bytes.length > block.length) {
      // A first small chunk gets what it needs: most connections never have a second one waiting.
      block = new Uint8Array(this.#chunks.length === 0 ? bytes.length : BLOCK_BYTES)
      this.#block = block
      this.#filled = 0
      this.#chunks.push(block.subarray(0, 0))
    }
    block.set(bytes, this.#filled)
    this.#filled += bytes.length
    const last = this.#chunks.length - 1
    this.#chunks[last] = block.subarray(0, this.#filled)
  }
}

const NOTHING = new Uint8Array(0)
