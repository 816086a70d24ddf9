// What time does to an endpoint: TIMEOUTS of RFC 9293 §3.10.8, window probes, keep-alive, and freeing of idle storage.
import { abort, enter } from './closing.ts'
import { seqDiff } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** Between keep-alive probes; Linux has the same. */
const PROBE_EVERY_MS = 75_000
/** Receive storage that was not needed this long is freed. */
export const TRIM_AFTER_MS = 1_000

/** When `timeout` must be called next; Infinity: no need. */
export function deadline(tcb: Tcb): number {
  return Math.min(tcb.retransmitAt, tcb.closeAt, tcb.keepAliveAt, tcb.trimAt)
}

/** Calling early, late or twice does no harm. */
export function timeout(tcb: Tcb, now: number): void {
  if (now >= tcb.closeAt) enter(tcb, 'CLOSED', now)
  if (now >= tcb.retransmitAt) retransmission(tcb, now)
  if (now >= tcb.keepAliveAt) keepAlive(tcb, now)
  if (now >= tcb.trimAt) trim(tcb, now)
}

/** RFC 6298 §5.4 to §5.7; with a closed window the same timer sends the probes of RFC 9293 §3.8.6.1. */
function retransmission(tcb: Tcb, now: number): void {
  const { snd, rtt } = tcb
  if (now >= tcb.giveUpAt) {
    abort(tcb, 'timeout', now)
    return
  }
  if (tcb.giveUpAt === Infinity) tcb.giveUpAt = now + tcb.userTimeoutMs
  const flight = seqDiff(snd.una, snd.max)
  if (tcb.state !== 'SYN_RECEIVED') {
    tcb.force = true // whatever the window and its silly-window rule say, one segment leaves
    // A closed or silly window is no sign of congestion.
    if (snd.wnd > 0 && flight > 0) {
      tcb.congestion.onTimeout(flight)
      tcb.recovery.timeout(snd.max)
    }
  }
  rtt.cancel()
  rtt.backoff++
  snd.nxt = snd.una // go back N
  tcb.retransmitAt = Infinity // the next segment starts it again
}

/** RFC 9293 §3.8.4. */
function keepAlive(tcb: Tcb, now: number): void {
  const idle = now - tcb.heardAt
  if (idle < tcb.keepAliveMs) {
    tcb.keepAliveAt = tcb.heardAt + tcb.keepAliveMs
  } else if (idle >= tcb.keepAliveMs + tcb.userTimeoutMs) {
    abort(tcb, 'timeout', now)
  } else {
    tcb.probeDue = true
    tcb.keepAliveAt = now + PROBE_EVERY_MS
  }
}

function trim(tcb: Tcb, now: number): void {
  const { rcv } = tcb
  const idleAt = tcb.heardAt + TRIM_AFTER_MS
  if (now < idleAt) {
    tcb.trimAt = idleAt
  } else if (rcv.ring.length === 0 && rcv.gaps.empty) {
    rcv.ring.release()
    tcb.trimAt = Infinity
  } else {
    tcb.trimAt = Infinity // `consumed` sets it again
  }
}
