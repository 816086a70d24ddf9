// spec.md, "Order of sending": streams that send little before streams that send much, and those in fair turns (RFC 8290 §4).
import { BULK_BYTES } from './gather.ts'
import { LITTLE_BYTES } from './recent.ts'
import type { StreamState } from './stream-state.ts'

/** Bytes that one stream sends before the next has its turn: a write. Half of one cost 64 flows 7 % of their rate, as every hop had twice the pieces. */
const QUANTUM = BULK_BYTES

export class Scheduler {
  readonly #sparse: StreamState[] = []
  readonly #bulk: StreamState[] = []

  /** Bytes or credit have come: the stream queues up unless it already does. */
  activate(stream: StreamState, now: number): void {
    if (stream.place !== 'none' || !stream.sendable) return
    stream.sent.pass(now)
    stream.turn = QUANTUM
    if (stream.sent.little) {
      stream.place = 'sparse'
      this.#sparse.push(stream)
    } else {
      stream.place = 'bulk'
      this.#bulk.push(stream)
    }
  }

  /** Who sends next, without taking it off its queue; `bulk` false: only a sparse one. */
  next(sparse: boolean, bulk: boolean): StreamState | undefined {
    for (;;) {
      const queue = sparse && this.#sparse.length > 0 ? this.#sparse : this.#bulk
      if (queue === this.#bulk && !bulk) return undefined
      const stream = queue[0]
      if (stream === undefined) return undefined
      if (!stream.sendable) {
        queue.shift()
        stream.place = 'none'
      } else if (stream.turn <= 0 || (queue === this.#sparse && !stream.sent.little)) {
        // Its turn is over, or it has shown that it is not sparse.
        queue.shift()
        stream.turn = Math.min(QUANTUM, stream.turn + QUANTUM) // what it had too much of is missing now
        stream.place = 'bulk'
        this.#bulk.push(stream)
      } else return stream
    }
  }

  /** What the stream, as given by `next`, may send at once, bytes. */
  limit(stream: StreamState): number {
    return stream.place === 'sparse' ? LITTLE_BYTES : QUANTUM
  }

  sent(stream: StreamState, length: number, now: number): void {
    stream.turn -= length
    stream.sent.add(length, now)
  }
}
