// What leaves next, one segment a call: RST, SYN|ACK, text sent again, text and FIN, ACK, probe.
import { ACK, FIN, HEADER_LENGTH, PSH, RST, SYN, type TcpView } from '../wire/tcp.ts'
import { emitSynOptions } from '../wire/tcp-options.ts'
import { type Seq, seqAdd, seqDiff, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'
import { advertise } from './window.ts'

/** Write the next segment, except for its ports, behind `out.start` and set `out.end`; false when there is nothing to say. */
export function transmit(tcb: Tcb, out: TcpView, now: number): boolean {
  const { snd } = tcb
  if (tcb.resetDue) return reset(tcb, out)
  if (tcb.state === 'CLOSED') return false
  if (snd.nxt === snd.iss) return synAck(tcb, out, now)
  if (tcb.recovery.resend) return resend(tcb, out, now)
  const n = sendable(tcb)
  const fin = seqAdd(snd.nxt, n) === snd.fin && tcb.state !== 'SYN_RECEIVED'
  if (n > 0 || fin) return advance(tcb, out, n, fin, now)
  // Text that the window keeps back, and nothing on the way that would bring an ACK: the timer must (RFC 9293 §3.8.6.1).
  if (tcb.retransmitAt === Infinity && unsent(tcb) > 0 && tcb.state !== 'SYN_RECEIVED') startTimer(tcb, now)
  // Not SND.NXT, which may have gone back: the peer ignores the ACK field of an old segment. And not cut to the peer's window:
  // two ends that each took the other's probe byte into a closed window would never hear of it.
  if (tcb.ackDue > 0) return acknowledge(tcb, out, snd.max)
  if (!tcb.probeDue) return false
  // A keep-alive probe is an ACK with a number that the peer has seen (RFC 9293 §3.8.4).
  tcb.probeDue = false
  return acknowledge(tcb, out, seqAdd(snd.una, -1))
}

/** Bytes of text queued behind SND.NXT; -1 when the FIN has been sent. */
export function unsent({ snd }: Tcb): number {
  return snd.queue.length - seqDiff(snd.una, snd.nxt)
}

/** Bytes of text that may leave now at SND.NXT. */
function sendable(tcb: Tcb): number {
  const { snd } = tcb
  const waiting = unsent(tcb)
  if (waiting <= 0 || tcb.state === 'SYN_RECEIVED') return 0
  const usable = Math.min(snd.wnd, tcb.congestion.cwnd + tcb.recovery.inflation) - seqDiff(snd.una, snd.nxt)
  if (tcb.force) return Math.min(waiting, Math.max(1, Math.min(usable, snd.mss)))
  const n = Math.min(waiting, usable, snd.maxSegment)
  if (n <= 0) return 0
  // Silly window avoidance (RFC 9293 §3.8.6.2.1): the end of the queue, whole segments, or half of the largest window.
  if (n === waiting) return n
  const whole = n - (n % snd.mss)
  if (whole > 0) return whole
  return n * 2 >= snd.maxWnd ? n : 0
}

/** `n` bytes of text, then perhaps the FIN, at SND.NXT. */
function advance(tcb: Tcb, out: TcpView, n: number, fin: boolean, now: number): boolean {
  const { snd } = tcb
  const seq = snd.nxt
  snd.nxt = seqAdd(seq, n + (fin ? 1 : 0))
  if (seq === snd.max) tcb.rtt.begin(snd.nxt, now)
  else tcb.retransmits++
  if (seqLt(snd.max, snd.nxt)) snd.max = snd.nxt
  tcb.force = false
  return text(tcb, out, seq, n, fin, now)
}

/** The segment at SND.UNA once more, without moving SND.NXT. */
function resend(tcb: Tcb, out: TcpView, now: number): boolean {
  const { snd } = tcb
  tcb.recovery.resend = false
  tcb.retransmits++
  tcb.rtt.cancel()
  const n = Math.min(snd.queue.length, seqDiff(snd.una, snd.max), snd.maxSegment)
  const fin = snd.fin !== undefined && seqAdd(snd.una, n) === snd.fin && seqLt(snd.fin, snd.max)
  return text(tcb, out, snd.una, n, fin, now)
}

function text(tcb: Tcb, out: TcpView, seq: Seq, n: number, fin: boolean, now: number): boolean {
  const { snd, rcv } = tcb
  const offset = seqDiff(snd.una, seq)
  if (n > 0) snd.queue.copyTo(out.bytes, out.start + HEADER_LENGTH, offset, n)
  const push = n > 0 && offset + n === snd.queue.length
  out.end = out.start + HEADER_LENGTH + n
  out.emitFields(seq, rcv.nxt, ACK | (fin ? FIN : 0) | (push ? PSH : 0), advertise(tcb, rcv.shift), 0)
  if (tcb.ackDue > 0) tcb.ackDue--
  if (tcb.retransmitAt === Infinity) startTimer(tcb, now) // RFC 6298 §5.1
  return true
}

function synAck(tcb: Tcb, out: TcpView, now: number): boolean {
  const { snd, rcv } = tcb
  const options = emitSynOptions(out.bytes, out.start + HEADER_LENGTH, rcv.mss, rcv.scaled ? rcv.shift : undefined)
  out.end = out.start + HEADER_LENGTH + options
  out.emitFields(snd.iss, rcv.nxt, SYN | ACK, advertise(tcb, 0), options) // its window is never scaled (RFC 7323 §2.2)
  snd.nxt = seqAdd(snd.iss, 1)
  if (snd.max === snd.iss) tcb.rtt.begin(snd.nxt, now)
  else tcb.retransmits++
  snd.max = snd.nxt
  if (tcb.retransmitAt === Infinity) startTimer(tcb, now)
  return true
}

function acknowledge(tcb: Tcb, out: TcpView, seq: Seq): boolean {
  if (tcb.ackDue > 0) tcb.ackDue--
  out.end = out.start + HEADER_LENGTH
  out.emitFields(seq, tcb.rcv.nxt, ACK, advertise(tcb, tcb.rcv.shift), 0)
  return true
}

function reset(tcb: Tcb, out: TcpView): boolean {
  tcb.resetDue = false
  out.end = out.start + HEADER_LENGTH
  if (tcb.resetAck) out.emitFields(tcb.resetSeq, tcb.rcv.nxt, RST | ACK, 0, 0)
  else out.emitFields(tcb.resetSeq, 0, RST, 0, 0)
  return true
}

function startTimer(tcb: Tcb, now: number): void {
  tcb.retransmitAt = Math.min(now + tcb.rtt.rto, tcb.giveUpAt)
}
