// The public face of `lib/tcp`.
import { ACK, SYN, type TcpView } from '../wire/tcp.ts'
import { segmentArrives } from './arrive.ts'
import { PRESSED_BYTES } from './budget.ts'
import { abort, close, shutdown } from './closing.ts'
import { seqLt } from './seq.ts'
import type { State } from './state.ts'
import { type CloseReason, type Tcb, type TcbOptions, tcb } from './tcb.ts'
import { deadline, TRIM_AFTER_MS, timeout } from './timeout.ts'
import { transmit, unsent } from './transmit.ts'
import { windowConsumed } from './window.ts'

/**
 * One end of a TCP connection, from the accepted SYN on. Segments and the time come in, segments and bytes go out; nothing is done
 * behind your back. After any call `transmit` until it says false, then look at `received`, `sendFree`, `state` and `deadline`.
 * Times are milliseconds on a clock of the caller that never goes back. Nothing that a peer sends throws.
 */
export class Endpoint {
  readonly #tcb: Tcb

  constructor(options: TcbOptions) {
    this.#tcb = tcb(options)
  }

  /** CLOSED: forget the endpoint, once `transmit` has said false and `received` is empty. */
  get state(): State {
    return this.#tcb.state
  }
  /** Why the state is CLOSED; undefined: both ends closed in good order. */
  get reason(): CloseReason {
    return this.#tcb.reason
  }
  /** The peer will send no more, and everything it sent was consumed. */
  get ended(): boolean {
    const { rcv } = this.#tcb
    return rcv.fin !== undefined && seqLt(rcv.fin, rcv.nxt) && rcv.ring.length === 0
  }

  /** Effective MSS, in bytes: the segment size at which a device is to cut up what `transmit` wrote. */
  get mss(): number {
    return this.#tcb.snd.mss
  }
  /** Most text that one `transmit` writes, in bytes, a multiple of `mss`. */
  get maxSegment(): number {
    return this.#tcb.snd.maxSegment
  }

  /** A segment of this connection. The view is not kept, and text that counts is copied. */
  segmentArrives(seg: TcpView, now: number): void {
    if (this.#tcb.state !== 'CLOSED') segmentArrives(this.#tcb, seg, now)
  }

  /**
   * Write the next segment behind `out.start` and set `out.end`; false when there is nothing to say. Needs room for 28 bytes of
   * header and `maxSegment` of text. Text above `mss` is for the device to cut up.
   */
  transmit(out: TcpView, sourcePort: number, destinationPort: number, now: number): boolean {
    if (!transmit(this.#tcb, out, now)) return false
    out.emitPorts(sourcePort, destinationPort)
    return true
  }

  /**
   * Queue a copy of bytes; how many were taken, from the front.
   * Nothing is taken after `shutdown` and in CLOSED.
   */
  send(bytes: Uint8Array): number {
    const { snd } = this.#tcb
    const n = Math.min(bytes.length, this.sendFree)
    snd.queue.push(n === bytes.length ? bytes : bytes.subarray(0, n))
    return n
  }
  /** Queue a block (lib/blocks.ts) with much in it, which is the endpoint's from now on. False: it was not taken, try `send`. */
  give(block: Uint8Array): boolean {
    return block.length <= this.sendFree && this.#tcb.snd.queue.take(block)
  }
  /** How many bytes `send` takes now; grows when ACKs arrive. */
  get sendFree(): number {
    const { snd, state, budget } = this.#tcb
    if (snd.fin !== undefined || state === 'CLOSED') return 0
    const limit = budget.pressed ? Math.min(snd.limit, PRESSED_BYTES) : snd.limit
    return Math.max(0, limit - snd.queue.length)
  }
  /** Queued bytes that have not left yet. */
  get unsent(): number {
    return Math.max(0, unsent(this.#tcb))
  }
  /** Queued bytes that the peer has not acknowledged yet, the unsent ones included. */
  get unacknowledged(): number {
    return this.#tcb.snd.queue.length
  }

  /** Received bytes, in order and in place, perhaps not all of them: valid until the next call of any method that changes something. */
  received(): Uint8Array {
    return this.#tcb.rcv.ring.peek()
  }
  /** Received bytes that were not consumed, all of them. */
  get unread(): number {
    return this.#tcb.rcv.ring.length
  }
  /** Give `n` bytes of `received` back; this opens the window, and nothing else does. A window update may have to leave. */
  consumed(n: number): void {
    const t = this.#tcb
    const { ring, gaps } = t.rcv
    ring.drop(n)
    if (gaps.empty) ring.rewind()
    if (t.state === 'CLOSED') {
      if (ring.length === 0) ring.release()
      return
    }
    windowConsumed(t, n)
    if (t.trimAt === Infinity && ring.length === 0) t.trimAt = t.heardAt + TRIM_AFTER_MS
  }

  /** Send FIN behind what is queued; the other direction stays open. */
  shutdown(now: number): void {
    shutdown(this.#tcb, now)
  }
  /** Reset: what is queued or unread is gone, also in CLOSED; an RST leaves with the next `transmit` if the peer still has use for it. */
  abort(now: number): void {
    abort(this.#tcb, 'aborted', now)
  }
  /** Free everything without a word to the peer. For an endpoint that is forgotten in whatever state. */
  close(now: number): void {
    if (this.#tcb.state !== 'CLOSED') close(this.#tcb, 'aborted', now)
    this.#tcb.rcv.ring.release()
  }

  /** When `timeout` must be called next; Infinity: no need. */
  get deadline(): number {
    return deadline(this.#tcb)
  }
  /** Calling early, late or twice does no harm. */
  timeout(now: number): void {
    timeout(this.#tcb, now)
  }

  /** Is `seg` a SYN that may begin a new connection in place of this one, which is in TIME_WAIT (RFC 9293 §3.10.7.4)? */
  yieldsTo(seg: TcpView): boolean {
    const { state, rcv } = this.#tcb
    return state === 'TIME_WAIT' && seg.has(SYN) && !seg.has(ACK) && seqLt(rcv.nxt, seg.seq)
  }

  /** Bytes of text that arrived in order. */
  get bytesIn(): number {
    return this.#tcb.bytesIn
  }
  /** Bytes of text that the peer has acknowledged. */
  get bytesOut(): number {
    return this.#tcb.bytesOut
  }
  /** Smoothed round trip in ms; 0 before the first sample. */
  get srttMs(): number {
    return this.#tcb.rtt.srtt
  }
  /** Segments that were sent again. */
  get retransmits(): number {
    return this.#tcb.retransmits
  }
  /** Bytes of memory held for received text. */
  get storageBytes(): number {
    return this.#tcb.rcv.ring.capacity
  }
}
