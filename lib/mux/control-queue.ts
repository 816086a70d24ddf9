// Frames other than DATA that wait for the carrier, in order.
import { PONG } from './frame.ts'
import { GATHER_BYTES, type Gather } from './gather.ts'

/** Answers waiting for the carrier, bytes: a peer that provokes more does not read. */
export const MAX_CONTROL_BYTES = 1_048_576

interface Control {
  type: number
  id: number
  payload: Uint8Array
}

export class ControlQueue {
  #frames: Control[] = []
  #bytes = 0
  #pong: Uint8Array | undefined

  /** The queue is longer than an honest peer can make it. */
  get flooded(): boolean {
    return this.#bytes > MAX_CONTROL_BYTES
  }

  /** Half full. Whoever has a choice leaves the rest to what must be said. */
  get crowded(): boolean {
    return this.#bytes > MAX_CONTROL_BYTES / 2
  }

  push(type: number, id: number, payload: Uint8Array): void {
    this.#frames.push({ type, id, payload })
    this.#bytes += 8 + payload.length
  }

  /** The answer to a PING, before all others; only the last one is asked for. */
  pong(payload: Uint8Array): void {
    this.#pong = Uint8Array.from(payload) // not slice: a Buffer's does not copy
  }

  clear(): void {
    this.#frames = []
    this.#bytes = 0
    this.#pong = undefined
  }

  /** Move frames into `gather` until it is full. */
  move(gather: Gather): void {
    if (this.#pong !== undefined) {
      gather.header(PONG, 8, 0)
      gather.append(this.#pong)
      this.#pong = undefined
    }
    if (this.#frames.length === 0) return
    let moved = 0
    while (moved < this.#frames.length && gather.bytes < GATHER_BYTES) {
      const { type, id, payload } = this.#frames[moved]!
      gather.header(type, payload.length, id)
      gather.append(payload)
      this.#bytes -= 8 + payload.length
      moved += 1
    }
    this.#frames = moved === this.#frames.length ? [] : this.#frames.slice(moved)
  }
}
