// RFC 9293 §3.10.7.4, SEGMENT ARRIVES: the checks, in the order in which the RFC makes them, with the answers of RFC 5961.
import { ACK, FIN, RST, SYN, type TcpView } from '../wire/tcp.ts'
import { acknowledged, windowArrives } from './acknowledge.ts'
import { close, enter } from './closing.ts'
import { seqAdd, seqDiff, seqLe, seqLt } from './seq.ts'
import { ON_ACK_OF_FIN, ON_FIN } from './state.ts'
import { ackNow, type Tcb } from './tcb.ts'
import { TRIM_AFTER_MS } from './timeout.ts'

/** RFC 5961 §7: challenge ACKs per `CHALLENGE_PERIOD_MS`. Counted per endpoint, so that no flow can learn of another. */
const CHALLENGE_LIMIT = 10
const CHALLENGE_PERIOD_MS = 5_000
/** Duplicate ACKs owed at most: three make the peer send again, more say nothing new. */
const DUPLICATES_DUE = 3

/** No I/O, no clock: what must be sent follows from `tcb` afterwards. */
export function segmentArrives(tcb: Tcb, seg: TcpView, now: number): void {
  // First, check the sequence number: some of the segment must lie in the receive window.
  if (!acceptable(tcb, seg)) {
    unacceptable(tcb, seg, now)
    return
  }
  tcb.heardAt = now
  // Second, the RST bit. RFC 5961 §3.2: only the expected number resets, any other is challenged.
  if (seg.has(RST)) {
    if (seg.seq === tcb.rcv.nxt) resetArrives(tcb, now)
    else challenge(tcb, now)
    return
  }
  // Fourth, the SYN bit. RFC 5961 §4.2: challenge it. (The third check, security, does not apply.)
  if (seg.has(SYN)) {
    challenge(tcb, now)
    return
  }
  // Fifth, the ACK field.
  if (!seg.has(ACK) || !ackArrives(tcb, seg, now)) return
  // Seventh, the segment text. (The sixth check, urgency, does not apply.)
  if (seg.textLength > 0) textArrives(tcb, seg, now)
  // Eighth, the FIN bit, which counts once everything before it is here.
  if (seg.has(FIN)) noteFin(tcb, seg)
  if (tcb.rcv.nxt === tcb.rcv.fin) finArrives(tcb, now)
}

/**
 * RFC 9293 §3.4, the four cases of the acceptability test. With a closed window a segment that begins at RCV.NXT passes although its
 * text will be dropped: its ACK and RST count (the "special allowance" of §3.10.7.4).
 */
function acceptable({ rcv }: Tcb, seg: TcpView): boolean {
  const wnd = seqDiff(rcv.nxt, rcv.edge)
  const start = seqDiff(rcv.nxt, seg.seq)
  if (start === 0) return true
  return start < wnd && (start > 0 || start + seg.len > 0)
}

function unacceptable(tcb: Tcb, seg: TcpView, now: number): void {
  if (seg.has(RST)) return
  if (tcb.state === 'SYN_RECEIVED' && seg.has(SYN) && !seg.has(ACK) && seg.seq === tcb.rcv.irs) {
    // The SYN once more: our SYN|ACK was lost, or is late.
    tcb.snd.nxt = tcb.snd.iss
    tcb.rtt.cancel()
    return
  }
  if (tcb.state === 'TIME_WAIT' && seg.has(FIN)) enter(tcb, 'TIME_WAIT', now) // 2 MSL once more
  // Text or FIN once more means that our ACK was lost. Anything else could be an answer to our answer: limit it.
  if (seg.len > 0 && !seg.has(SYN)) ackNow(tcb)
  else challenge(tcb, now)
}

/** RFC 5961 §7. */
function challenge(tcb: Tcb, now: number): void {
  if (now - tcb.challengesFrom >= CHALLENGE_PERIOD_MS) {
    tcb.challengesFrom = now
    tcb.challenges = 0
  }
  if (tcb.challenges >= CHALLENGE_LIMIT) return
  tcb.challenges++
  ackNow(tcb)
}

function resetArrives(tcb: Tcb, now: number): void {
  // After both have closed an RST takes nothing away (RFC 9293 §3.10.7.4), unless our text never arrived.
  const over = tcb.state === 'CLOSING' || tcb.state === 'LAST_ACK' || tcb.state === 'TIME_WAIT'
  if (over && tcb.snd.queue.length === 0) enter(tcb, 'CLOSED', now)
  else close(tcb, 'reset', now)
}

/** False if the ACK field is of another conversation, and the segment must be dropped. */
function ackArrives(tcb: Tcb, seg: TcpView, now: number): boolean {
  const { snd } = tcb
  const { ack } = seg
  const isNew = seqLt(snd.una, ack)
  if (tcb.state === 'SYN_RECEIVED') {
    if (!isNew || seqLt(snd.max, ack)) {
      tcb.resetDue = true
      tcb.resetAck = false
      tcb.resetSeq = ack
      return false
    }
    enter(tcb, 'ESTABLISHED', now)
    tcb.keepAliveAt = now + tcb.keepAliveMs
  } else if (seqLt(snd.max, ack) || seqDiff(ack, snd.una) > snd.maxWnd) {
    challenge(tcb, now) // RFC 5961 §5.2
    return false
  }
  if (isNew) {
    acknowledged(tcb, ack, now)
    if (snd.fin !== undefined && seqLt(snd.fin, ack)) enter(tcb, ON_ACK_OF_FIN[tcb.state], now)
  } else if (isDuplicate(tcb, seg)) {
    tcb.recovery.duplicateAck(snd.una, snd.max, seqDiff(snd.una, snd.nxt))
  }
  windowArrives(tcb, seg)
  return tcb.state !== 'CLOSED'
}

/** RFC 5681 §2: the five marks of a duplicate ACK. */
function isDuplicate({ snd }: Tcb, seg: TcpView): boolean {
  return snd.una !== snd.max && seg.ack === snd.una && seg.len === 0 && seg.wnd << snd.shift === snd.wnd && snd.wnd > 0
}

function textArrives(tcb: Tcb, seg: TcpView, now: number): void {
  const { rcv } = tcb
  const offset = seqDiff(rcv.nxt, seg.seq)
  const from = Math.max(0, -offset)
  // Nothing lies behind a FIN.
  const to = Math.min(seg.textLength, seqDiff(seg.seq, rcv.fin ?? rcv.edge))
  if (to > from && rcv.ring.writeAhead(offset + from, seg.bytes, seg.textStart + from, seg.textStart + to)) {
    const n = rcv.gaps.add(offset + from, offset + to)
    rcv.ring.commit(n)
    rcv.nxt = seqAdd(rcv.nxt, n)
    tcb.bytesIn += n
    if (tcb.trimAt === Infinity) tcb.trimAt = now + TRIM_AFTER_MS
    if (n === 0 && tcb.ackDue > 0) tcb.ackDue = Math.min(tcb.ackDue + 1, DUPLICATES_DUE)
  }
  ackNow(tcb)
}

/** Where the peer's text ends. What contradicts text that is here already, or lies beyond the window, is not believed. */
function noteFin(tcb: Tcb, seg: TcpView): void {
  const { rcv } = tcb
  ackNow(tcb)
  const at = seqAdd(seg.seq, seg.textLength)
  const offset = seqDiff(rcv.nxt, at)
  if (rcv.fin === undefined && offset >= rcv.gaps.end && seqLe(at, rcv.edge)) rcv.fin = at
}

function finArrives(tcb: Tcb, now: number): void {
  tcb.rcv.nxt = seqAdd(tcb.rcv.nxt, 1)
  ackNow(tcb)
  enter(tcb, ON_FIN[tcb.state], now)
}
