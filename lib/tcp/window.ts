// The receive window: what the peer may send follows from what the caller has consumed.
import { PRESSED_BYTES } from './budget.ts'
import { seqAdd, seqDiff, seqLt } from './seq.ts'
import { ackNow, type Rcv, type Tcb } from './tcb.ts'

/** A window field that is not scaled, and any scaled one, ends here. */
const FIELD_MAX = 0xffff

/** Bytes of text that may come, if we promised afresh. */
function room({ rcv, budget }: Tcb): number {
  const limit = budget.pressed ? Math.min(rcv.limit, PRESSED_BYTES) : rcv.limit
  return Math.max(0, limit - rcv.ring.length)
}

/** A gain below this is not worth a window update: silly window avoidance, RFC 9293 §3.8.6.2.2. */
function worthwhile(rcv: Rcv): number {
  return Math.min(rcv.limit >> 1, rcv.mss)
}

/** The window field of the next segment; it becomes a promise (RCV.WND). In a SYN|ACK the field is not scaled. */
export function advertise(tcb: Tcb, shift: number): number {
  const { rcv } = tcb
  const promised = Math.max(0, seqDiff(rcv.nxt, rcv.edge)) // a FIN may lie at the edge, and needs no room
  const free = room(tcb)
  const wnd = free - promised >= worthwhile(rcv) ? free : promised
  const field = Math.min(wnd >> shift, FIELD_MAX)
  const edge = seqAdd(rcv.nxt, field << shift)
  if (seqLt(rcv.edge, edge)) rcv.edge = edge
  return field
}

/** `n` bytes were consumed: the window may grow, and the peer may have to be told. */
export function windowConsumed(tcb: Tcb, n: number): void {
  const { rcv, budget } = tcb
  rcv.consumed += n
  if (rcv.consumed >= rcv.limit && rcv.limit < rcv.maxLimit && !budget.scarce) {
    rcv.limit = Math.min(rcv.limit * 2, rcv.maxLimit)
    rcv.consumed = 0
  }
  if (rcv.fin !== undefined) return
  const promised = seqDiff(rcv.nxt, rcv.edge)
  const free = Math.min(room(tcb), FIELD_MAX << rcv.shift)
  const gain = free - promised
  // A sender that still has half of the window hears of it with the next ACK.
  if (gain >= rcv.limit >> 1 || (promised < rcv.mss && gain >= worthwhile(rcv))) ackNow(tcb)
}
