// spec.md, "Credit": a stream that rests gives back what its window has grown by, so that others may grow.
import type { ControlQueue } from './control-queue.ts'
import { firstWindow } from './credit.ts'
import { RETURN, u32Bytes } from './frame.ts'
import type { StreamTable } from './stream-table.ts'

/** Less than this part beyond a first window is not worth a frame: the round trip that it goes by is never quite the same. */
const WORTHWHILE = 1 / 4
/** What a RETURN can say, bytes. */
const MAX_RETURN = 0xffff_ffff

/** Give back, with RETURN, what streams that have sent nothing since the last call may send beyond a first window. */
export function returnCredit(streams: StreamTable, control: ControlQueue, roundTripMs: number): void {
  const first = firstWindow(roundTripMs)
  for (const stream of streams.resting()) {
    const credit = Math.min(stream.credit - first, MAX_RETURN)
    if (credit <= first * WORTHWHILE) continue
    stream.credit -= credit
    control.push(RETURN, stream.id, u32Bytes(credit))
  }
}
