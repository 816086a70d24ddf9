// The transmission control block, with the names RFC 9293 §3.3.1 gives its variables.
import { Assembler } from './assembler.ts'
import { Budget } from './budget.ts'
import { Congestion } from './congestion.ts'
import { Recovery } from './recovery.ts'
import { Ring } from './ring.ts'
import { Rtt } from './rtt.ts'
import { SendQueue } from './send-queue.ts'
import { type Seq, seqAdd } from './seq.ts'
import type { State } from './state.ts'

/** Smaller than anything IPv4 can carry is an attack (segments of one byte) or a mistake; Linux has the same floor. */
const MIN_MSS = 48
/** Our own window scale: 65,535 << 7 is twice the largest window we offer. */
const OWN_SHIFT = 7
/** Bytes kept for the caller and the retransmission per connection: several batches of super-segments. */
const SEND_LIMIT_BYTES = 1 << 20
/** The first window: what one connection may cost that nobody reads from, in bytes. */
const FIRST_WINDOW_BYTES = 256 * 1024
/** The largest window: the kernel fills a batch of 1 MiB per wake-up, and must not wait for the ACK in between. */
const RECEIVE_LIMIT_BYTES = 1 << 22
/** RFC 9293 §3.8.3: R2 should be at least 100 s. */
const USER_TIMEOUT_MS = 120_000
/** RFC 9293 §3.8.4: not less than two hours. */
const KEEP_ALIVE_MS = 7_200_000

/** Why an endpoint is CLOSED, if not in good order: the peer's RST, its silence, or our `abort`. */
export type CloseReason = 'reset' | 'timeout' | 'aborted' | undefined

/** What the SYN said, and what the stack decides. Sizes in bytes, counted in text. */
export interface TcbOptions {
  /** Our initial sequence number, 32 random bits (RFC 6528). */
  iss: Seq
  /** The peer's initial sequence number. */
  irs: Seq
  /** The SYN's window field; it is never scaled. */
  wnd: number
  /** The peer's MSS option; without it 536 (IPv4) or 1220 (IPv6). */
  mss: number
  /** The shift of the peer's window scale option, if it was there; then ours is used too. */
  windowScale?: number | undefined
  /** The MSS we announce, from the device's MTU. Neither side sends larger segments. */
  ownMss: number
  /** What one `transmit` may carry; the endpoint rounds down to a multiple of `mss`. Without offload: any value up to the MSS. */
  maxSegment: number
  /** Bytes `send` queues. */
  sendLimit?: number
  /** Largest receive window. */
  receiveLimit?: number
  /** The peer may be silent for so long while it owes an ACK. */
  userTimeoutMs?: number
  /** Silence after which an idle connection is probed. */
  keepAliveMs?: number
  /** Shared by all endpoints of a stack; by default the limits above are all there is. */
  budget?: Budget
}

export interface Snd {
  readonly iss: Seq
  una: Seq
  nxt: Seq
  /** The highest SND.NXT so far: NXT itself goes back for a retransmission. */
  max: Seq
  /** In bytes, scaled. */
  wnd: number
  /** The largest window the peer ever offered. */
  maxWnd: number
  wl1: Seq
  wl2: Seq
  /** Shift of the peer's window fields. */
  readonly shift: number
  /** Eff.snd.MSS: text bytes in a segment on the wire. */
  readonly mss: number
  /** Text bytes per `transmit`, a multiple of `mss`. */
  readonly maxSegment: number
  readonly limit: number
  /** Where our FIN lies, once known. */
  fin: Seq | undefined
  readonly queue: SendQueue
}

export interface Rcv {
  readonly irs: Seq
  nxt: Seq
  /** The largest RCV.NXT + RCV.WND the peer was told: a promise, so it never moves back. */
  edge: Seq
  /** Whether window scaling was agreed upon, and the shift of our window fields. */
  readonly scaled: boolean
  readonly shift: number
  /** Our MSS, which the SYN|ACK announces. */
  readonly mss: number
  /** Bytes that may wait to be consumed; grows up to `maxLimit` with use. */
  limit: number
  readonly maxLimit: number
  /** Bytes consumed since `limit` last grew. */
  consumed: number
  /** Where the peer's FIN lies, once known. */
  fin: Seq | undefined
  readonly ring: Ring
  readonly gaps: Assembler
}

export interface Tcb {
  state: State
  reason: CloseReason
  readonly snd: Snd
  readonly rcv: Rcv
  readonly rtt: Rtt
  readonly congestion: Congestion
  readonly recovery: Recovery
  readonly budget: Budget
  readonly userTimeoutMs: number
  readonly keepAliveMs: number
  /** ACKs that must leave, with or without text; more than one when the peer is to count duplicates. */
  ackDue: number
  /** The window keeps text back, and the timer says that some must leave all the same. */
  force: boolean
  /** A keep-alive probe must leave. */
  probeDue: boolean
  /** An RST must leave, with this sequence number, and with or without an ACK field. */
  resetDue: boolean
  resetSeq: Seq
  resetAck: boolean
  /** Times in ms, on the caller's clock; Infinity: not set. Retransmission or window probe: */
  retransmitAt: number
  /** user timeout, */
  giveUpAt: number
  /** 2 MSL, */
  closeAt: number
  /** keep-alive and freeing of idle storage: looked at then, and moved on if there was traffic. */
  keepAliveAt: number
  trimAt: number
  /** When the last acceptable segment arrived; -Infinity before the first. */
  heardAt: number
  /** Challenge ACKs since `challengesFrom` (RFC 5961 §7). */
  challenges: number
  challengesFrom: number
  retransmits: number
  bytesIn: number
  bytesOut: number
}

export function tcb(options: TcbOptions): Tcb {
  const budget = options.budget ?? new Budget(Infinity)
  const snd = sendSide(options, budget)
  const congestion = new Congestion(snd.mss)
  return {
    state: 'SYN_RECEIVED',
    reason: undefined,
    snd,
    rcv: receiveSide(options, budget),
    rtt: new Rtt(),
    congestion,
    recovery: new Recovery(snd.mss, congestion, snd.iss),
    budget,
    userTimeoutMs: options.userTimeoutMs ?? USER_TIMEOUT_MS,
    keepAliveMs: options.keepAliveMs ?? KEEP_ALIVE_MS,
    ackDue: 0,
    force: false,
    probeDue: false,
    resetDue: false,
    resetSeq: 0,
    resetAck: false,
    retransmitAt: Infinity,
    giveUpAt: Infinity,
    closeAt: Infinity,
    keepAliveAt: Infinity,
    trimAt: Infinity,
    heardAt: -Infinity,
    challenges: 0,
    challengesFrom: -Infinity,
    retransmits: 0,
    bytesIn: 0,
    bytesOut: 0
  }
}

function sendSide(options: TcbOptions, budget: Budget): Snd {
  const iss = options.iss | 0
  const mss = Math.max(Math.min(options.mss, options.ownMss), MIN_MSS)
  return {
    iss,
    una: iss,
    nxt: iss,
    max: iss,
    wnd: options.wnd,
    maxWnd: options.wnd,
    wl1: options.irs | 0,
    wl2: iss,
    shift: options.windowScale ?? 0,
    mss,
    maxSegment: Math.max(options.maxSegment - (options.maxSegment % mss), mss),
    limit: options.sendLimit ?? SEND_LIMIT_BYTES,
    fin: undefined,
    queue: new SendQueue(budget)
  }
}

function receiveSide(options: TcbOptions, budget: Budget): Rcv {
  const nxt = seqAdd(options.irs, 1)
  const scaled = options.windowScale !== undefined
  const maxLimit = options.receiveLimit ?? RECEIVE_LIMIT_BYTES
  return {
    irs: options.irs | 0,
    nxt,
    edge: nxt,
    scaled,
    shift: scaled ? OWN_SHIFT : 0,
    mss: options.ownMss,
    limit: Math.min(maxLimit, FIRST_WINDOW_BYTES),
    maxLimit,
    consumed: 0,
    fin: undefined,
    ring: new Ring(budget),
    gaps: new Assembler()
  }
}

/** Where the text in the send queue begins: behind the SYN, while that is not acknowledged. */
export function queueStart(snd: Snd): Seq {
  return snd.una === snd.iss ? seqAdd(snd.iss, 1) : snd.una
}

/** At least one ACK must leave. */
export function ackNow(t: Tcb): void {
  if (t.ackDue === 0) t.ackDue = 1
}
