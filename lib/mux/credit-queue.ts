// Streams whose readers have made room, until the peer is told: with an ACK where that is soon enough, as a message of its own is dear.
import { CREDIT, setU32 } from './frame.ts'
import type { Gather } from './gather.ts'
import type { StreamState } from './stream-state.ts'

export class CreditQueue {
  #streams: StreamState[] = []
  #urgent = false

  /** Bytes of the stream have been read. True: its credit cannot wait, transmit. */
  read(stream: StreamState): boolean {
    if (stream.gone || stream.ended) return false
    const kept = stream.events.kept()
    if (!stream.creditNoted) {
      if (stream.receive.due(kept) === 0) return false
      stream.creditNoted = true
      this.#streams.push(stream)
    }
    if (this.#urgent || !stream.receive.urgent(kept)) return false
    this.#urgent = true
    return true
  }

  /** CREDIT frames into `gather`, if one cannot wait or `inPassing` says that something leaves anyway. */
  transmit(gather: Gather, now: number, roundTripMs: number, inPassing: boolean): void {
    if (this.#streams.length === 0 || !(this.#urgent || inPassing)) return
    for (const stream of this.#streams) {
      stream.creditNoted = false
      if (stream.gone || stream.ended) continue
      const credit = stream.receive.give(stream.events.kept(), now, roundTripMs)
      if (credit === 0) continue
      gather.header(CREDIT, 4, stream.id)
      const { slab, at } = gather.reserve(4)
      setU32(slab, at, credit)
    }
    this.#streams = []
    this.#urgent = false
  }
}
