// How a connection changes its state, and how it ends.

import { seqAdd } from './seq.ts'
import { ON_CLOSE, type State } from './state.ts'
import { type CloseReason, queueStart, type Tcb } from './tcb.ts'

/**
 * Maximum segment lifetime. RFC 9293 §3.4.2 says two minutes, for the Internet. Here a segment lives as long as a device queue of
 * this machine holds it, and what must be waited for is the peer's FIN sent again: three times within these four seconds.
 */
const MSL_MS = 2_000

/** Move on; undefined: nothing happens in this state. */
export function enter(tcb: Tcb, state: State | undefined, now: number): void {
  if (state === undefined) return
  tcb.state = state
  if (state === 'ESTABLISHED' && tcb.snd.fin !== undefined) enter(tcb, ON_CLOSE[state], now)
  else if (state === 'TIME_WAIT') tcb.closeAt = now + 2 * MSL_MS
  else if (state === 'CLOSED') stop(tcb)
}

/** CLOSE of RFC 9293 §3.10.4: FIN goes behind what is queued. */
export function shutdown(tcb: Tcb, now: number): void {
  const { snd, state } = tcb
  if (snd.fin !== undefined || (state !== 'SYN_RECEIVED' && ON_CLOSE[state] === undefined)) return
  snd.fin = seqAdd(queueStart(snd), snd.queue.length)
  enter(tcb, ON_CLOSE[state], now)
}

/** Over at once. Nothing that was received or queued is of use any more. */
export function close(tcb: Tcb, reason: CloseReason, now: number): void {
  tcb.reason = reason
  enter(tcb, 'CLOSED', now)
  tcb.rcv.ring.release()
}

/** ABORT of RFC 9293 §3.10.5, also when we give up: the peer is told. */
export function abort(tcb: Tcb, reason: CloseReason, now: number): void {
  if (tcb.state === 'CLOSED') {
    tcb.rcv.ring.release() // what was still to be read
    return
  }
  if (tcb.state !== 'TIME_WAIT') {
    tcb.resetDue = true
    tcb.resetAck = true
    tcb.resetSeq = tcb.snd.max
  }
  close(tcb, reason, now)
}

function stop(tcb: Tcb): void {
  tcb.snd.queue.clear()
  tcb.rcv.gaps.clear()
  if (tcb.rcv.ring.length === 0) tcb.rcv.ring.release()
  tcb.retransmitAt = tcb.giveUpAt = tcb.closeAt = tcb.keepAliveAt = tcb.trimAt = Infinity
}
