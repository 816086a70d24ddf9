// spec.md, "Resuming": what has been sent and may have been lost with its carrier, kept until the peer acknowledges it.
import { BLOCK_BYTES, giveBlock } from '../blocks.ts'
import { MAX_CONTROL_BYTES } from './control-queue.ts'
import { MAX_FLIGHT, SPARSE_FLIGHT } from './flight.ts'
import { GATHER_BYTES } from './gather.ts'

/** More than an honest peer leaves unacknowledged, bytes: what bulk and other streams may have on the way, and what control frames add. */
export const MAX_KEPT_BYTES = MAX_FLIGHT + SPARSE_FLIGHT + 4 * MAX_CONTROL_BYTES
/** Pieces kept: a peer that acknowledges nothing makes us keep small ones, of which each costs about 100 bytes beside its own. */
const MAX_KEPT_PIECES = 262_144
/** Blocks from here on, bytes: what is sent now is copied, because a block with little in it costs as much as a full one. */
const FRUGAL_BYTES = 33_554_432
/** Positions of what was let go are forgotten together, when there are so many. */
const FORGET_AT = 1_024

export class Replay {
  // Two queues in flat arrays. The pieces as the carrier got them; `#headAt` is the position of the first one kept.
  #pieces: Uint8Array[] = []
  #head = 0
  #headAt = 0
  #end = 0
  /** Of the next piece to be sent again; -1: everything has been handed to the present carrier. */
  #cursor = -1
  // Blocks that parts of the pieces lie in, and the position behind the last such part.
  #blocks: Uint8Array[] = []
  #blockEnds: number[] = []
  #firstBlock = 0

  /** The peer leaves more unacknowledged than an honest one does. */
  get full(): boolean {
    return this.#end - this.#headAt > MAX_KEPT_BYTES || this.#pieces.length - this.#head > MAX_KEPT_PIECES
  }

  /** Copy what is sent now. */
  get frugal(): boolean {
    return (this.#blocks.length - this.#firstBlock) * BLOCK_BYTES > FRUGAL_BYTES
  }

  /** There is something to be sent again before anything new. */
  get pending(): boolean {
    return this.#cursor >= 0
  }

  /** These leave now, in order. Their memory stays as it is until it is acknowledged. */
  keep(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.#pieces.push(piece)
      this.#end += piece.length
    }
  }

  /** `block` is ours to give back when everything up to `end` is acknowledged; ends come in order. */
  keepBlock(block: Uint8Array, end: number): void {
    this.#blocks.push(block)
    this.#blockEnds.push(end)
  }

  /** The peer has everything up to `position`, which is at most what was sent. */
  acknowledged(position: number): void {
    while (this.#head < this.#pieces.length) {
      const end = this.#headAt + this.#pieces[this.#head]!.length
      if (end > position) break
      this.#headAt = end
      this.#head += 1
    }
    while (this.#firstBlock < this.#blocks.length && this.#blockEnds[this.#firstBlock]! <= position) {
      giveBlock(this.#blocks[this.#firstBlock]!)
      this.#firstBlock += 1
    }
    if (this.#head >= FORGET_AT || this.#firstBlock >= FORGET_AT || this.#head === this.#pieces.length) this.#forget()
  }

  /** A new carrier, whose peer has everything up to `position`: send again from there. */
  rewind(position: number): void {
    this.acknowledged(position)
    this.#forget()
    this.#cursor = this.#pieces.length === 0 ? -1 : 0
    if (this.#cursor < 0 || position === this.#headAt) return
    this.#pieces[0] = this.#pieces[0]!.subarray(position - this.#headAt)
    this.#headAt = position
  }

  /** What is to be sent again, about GATHER_BYTES of it; empty when there is nothing left. */
  next(): Uint8Array[] {
    if (this.#cursor < 0) return []
    const from = Math.max(this.#cursor, this.#head)
    let to = from
    for (let bytes = 0; to < this.#pieces.length && bytes < GATHER_BYTES; to++) bytes += this.#pieces[to]!.length
    this.#cursor = to === this.#pieces.length ? -1 : to
    return this.#pieces.slice(from, to)
  }

  /** The session is over: nothing is sent again. What a carrier may still be writing is not given back, only forgotten. */
  clear(): void {
    this.#pieces = []
    this.#head = 0
    this.#headAt = this.#end
    this.#cursor = -1
    this.#blocks = []
    this.#blockEnds = []
    this.#firstBlock = 0
  }

  #forget(): void {
    if (this.#cursor >= 0) this.#cursor = Math.max(0, this.#cursor - this.#head)
    this.#pieces = this.#head === this.#pieces.length ? [] : this.#pieces.slice(this.#head)
    this.#head = 0
    this.#blocks = this.#firstBlock === this.#blocks.length ? [] : this.#blocks.slice(this.#firstBlock)
    this.#blockEnds = this.#blockEnds.slice(this.#firstBlock)
    this.#firstBlock = 0
  }
}
