// The rim of the mux: a carrier, a timer and Duplexes around protocol.ts.
import type { Duplex } from 'node:stream'
import { freeUnused } from '../blocks.ts'
import type { GoAwayCode, ResetCode } from './frame.ts'
import { SILENCE_MS } from './heartbeat.ts'
import { Protocol, type Role } from './protocol.ts'
import { MuxStream, type StreamOwner } from './stream.ts'
import type { StreamEvents, StreamState } from './stream-state.ts'

/** What is queued is written at once from here on, bytes; less waits for the end of the event loop's turn, to go in one write. */
const WRITE_NOW_BYTES = 786_432
/**
 * A stream may queue so many bytes before its writer has to wait: what one turn writes. With a quarter of it an agent woke up for every 200 KB of a
 * download, and needed 1.8 CPU s/GiB in place of 1.55;
 */
const STREAM_QUEUE_BYTES = 786_432
/** as long as all of them together queue no more than this; else one write at a time. */
const QUEUE_BYTES = 4_194_304
/** Memory that was not needed for this long is given back, ms: as often as a timer fires anyway, for a PING. */
const UNUSED_MS = 5_000
/** The goodbye may take this long to leave, ms. */
const GOODBYE_MS = 1_000

export interface MuxSessionOptions {
  role: Role
  /** The peer has opened a stream. `request` is a copy. Reset what is not wanted. */
  onStream(stream: MuxStream, request: Uint8Array): void
  /** The carrier was lost: `resume` with another one, or `close`. Without this the session ends with its carrier, as `lost`. */
  onDetached?(error?: Error): void
  /** Milliseconds, monotonic; for tests. */
  now?: () => number
}

export interface MuxStats {
  streams: number
  /** Bytes of frames, headers included. */
  sentBytes: number
  receivedBytes: number
  /** Sent and not acknowledged by the peer's mux. */
  onTheWayBytes: number
  /** How much of that bulk streams may have. */
  boundBytes: number
  /** Sum of the receive windows: what unread streams can cost at most. */
  promisedBytes: number
  /** What the way has carried lately, bytes per second. */
  rate: number
  /** Shortest round trip of the last seconds, ms. */
  shortestRoundTripMs: number
}

export interface MuxEnd {
  code: GoAwayCode
  /** With `lost`: what the carrier said, if it said anything. */
  error?: Error
}

/**
 * Many streams over one carrier at a time, which belongs to the session from now on. Its chunks are used during their 'data' event
 * only; what it was given to write stays as it is until the peer has it. With a 'turn' event it may say that nothing more comes in this
 * turn of the event loop.
 */
export class MuxSession implements StreamOwner {
  #carrier: Duplex | undefined
  readonly #protocol: Protocol
  readonly #now: () => number
  readonly #onStream: MuxSessionOptions['onStream']
  readonly #onDetached: MuxSessionOptions['onDetached']
  /** Resolves once, however the session ends; never rejects. */
  readonly closed: Promise<MuxEnd>
  #settle: (end: MuxEnd) => void = () => {}
  #end: MuxEnd | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #freedAt = 0
  #pumpDue: NodeJS.Immediate | undefined
  #pumping = false
  #blocked = false
  #waitingBytes = 0
  #arrived: MuxStream[] = []
  /** Streams that the carrier has emptied and not said so yet. */
  readonly #unsaid = new Set<StreamState[]>()

  constructor(carrier: Duplex, options: MuxSessionOptions) {
    this.#now = options.now ?? (() => performance.now())
    this.#onStream = options.onStream
    this.#onDetached = options.onDetached
    this.closed = new Promise(resolve => {
      this.#settle = resolve
    })
    this.#protocol = new Protocol(options.role, this.#now(), {
      opened: (state, request) => this.#opened(state, request),
      over: (code, theirs) => this.#over(code, theirs)
    })
    this.#attach(carrier)
  }

  /**
   * Open a stream; `request` (at most 4,096 bytes, copied) tells the peer what it is for. When there is no room for it, or the
   * session is over, the stream comes back destroyed, with a MuxResetError.
   */
  open(request: Uint8Array): MuxStream {
    const stream = new MuxStream(this)
    const state = this.#protocol.open(request, eventsOf(stream))
    if (typeof state === 'string') stream.reset(state)
    else stream.attach(state)
    this.#wake()
    return stream
  }

  /** The last PING, ms; 0 before the first answer. */
  get roundTripMs(): number {
    return this.#protocol.roundTripMs
  }

  get stats(): MuxStats {
    const { flight, streams, promisedBytes, receivedBytes } = this.#protocol
    return {
      streams,
      sentBytes: flight.sent,
      receivedBytes,
      onTheWayBytes: flight.onTheWay,
      boundBytes: flight.bound,
      promisedBytes,
      rate: flight.rate,
      shortestRoundTripMs: flight.roundTripMs
    }
  }

  /** There is a carrier. Without one, streams wait. */
  get attached(): boolean {
    return this.#carrier !== undefined
  }

  /** Bytes of frames received; the peer of a new carrier is told. Not one more will come from the last carrier after `detach`. */
  get receivedBytes(): number {
    return this.#protocol.receivedBytes
  }

  /** Give the carrier up, whatever it might still bring. */
  detach(error?: Error): void {
    if (this.#carrier === undefined || this.#protocol.over) return
    this.#leave()
    this.#onDetached?.(error)
  }

  /**
   * Go on over another carrier, whose peer has received everything up to `position`. False: it cannot have, or the session is
   * over; the carrier is destroyed then.
   */
  resume(carrier: Duplex, position: number): boolean {
    if (this.#carrier !== undefined) this.#leave()
    if (!this.#protocol.resume(position, this.#now())) {
      carrier.on('error', () => {}).destroy()
      return false
    }
    this.#attach(carrier)
    return true
  }

  /** Say GOAWAY and end the carrier; streams that are still open are reset. Resolves when all is done. */
  async close(code: GoAwayCode = 'done'): Promise<void> {
    this.#protocol.end(code)
    await this.closed
  }

  // ---- StreamOwner -------------------------------------------------------------------------------------------------

  send(state: StreamState, chunks: readonly Uint8Array[]): boolean {
    const protocol = this.#protocol
    const before = protocol.queuedBytes
    protocol.send(state, chunks, this.#now())
    this.#waitingBytes += protocol.queuedBytes - before
    if (this.#waitingBytes >= WRITE_NOW_BYTES && !this.#pumping) this.#pump()
    else this.#wake()
    return state.queued < STREAM_QUEUE_BYTES && protocol.queuedBytes < QUEUE_BYTES
  }

  finish(state: StreamState): void {
    this.#protocol.finish(state)
    this.#wake()
  }

  reset(state: StreamState, code: ResetCode): void {
    this.#protocol.reset(state, code)
    this.#wake()
  }

  read(state: StreamState): void {
    if (this.#protocol.read(state)) this.#wake()
  }

  arrived(stream: MuxStream): void {
    this.#arrived.push(stream)
    this.#wake()
  }

  // ---- the carrier -------------------------------------------------------------------------------------------------

  #attach(carrier: Duplex): void {
    this.#carrier = carrier
    this.#blocked = false
    carrier.on('data', this.#arrive)
    carrier.on('turn', this.#turn)
    carrier.on('drain', this.#drained)
    carrier.on('error', this.#lost)
    carrier.on('end', this.#lost)
    carrier.on('close', this.#lost)
    // What has ended before nobody will tell.
    if (carrier.destroyed || carrier.readableEnded) setImmediate(() => this.#carrier === carrier && this.#lost())
    this.#protocol.timeout(this.#now())
    this.#wake()
  }

  #leave(): void {
    this.#release()
    this.#protocol.suspend()
    this.#setTimer()
    // It will not say what it has taken; what it has not, is sent again.
    const unsaid = [...this.#unsaid]
    this.#unsaid.clear()
    for (const emptied of unsaid) this.#protocol.report(emptied)
  }

  #release(): void {
    const carrier = this.#carrier
    this.#carrier = undefined
    if (carrier === undefined) return
    carrier.off('data', this.#arrive)
    carrier.off('turn', this.#turn)
    carrier.off('drain', this.#drained)
    carrier.off('error', this.#lost)
    carrier.off('end', this.#lost)
    carrier.off('close', this.#lost)
    carrier.on('error', () => {}) // of no interest any more
    carrier.destroy()
  }

  readonly #arrive = (bytes: Uint8Array): void => {
    this.#protocol.arrive(bytes, this.#now())
    this.#wake()
  }

  readonly #drained = (): void => {
    this.#blocked = false
    this.#pump()
  }

  readonly #lost = (error?: unknown): void => {
    const cause = error instanceof Error ? error : undefined
    if (this.#onDetached !== undefined && !this.#protocol.over) {
      this.detach(cause)
      return
    }
    this.#end ??= cause === undefined ? { code: 'lost' } : { code: 'lost', error: cause }
    this.#protocol.end('lost')
    this.#finish()
  }

  /** Write at the end of this turn of the event loop, so that what else happens in it shares the write. */
  #wake(): void {
    this.#pumpDue ??= setImmediate(this.#pumpLater)
  }

  /** The carrier has said all that came to it in this turn. */
  readonly #turn = (): void => {
    if (this.#pumpDue === undefined) return
    clearImmediate(this.#pumpDue)
    this.#pumpLater()
  }

  readonly #pumpLater = (): void => {
    this.#pumpDue = undefined
    const arrived = this.#arrived
    this.#arrived = []
    for (const stream of arrived) stream.flush()
    this.#pump()
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    this.#waitingBytes = 0
    const carrier = this.#carrier
    carrier?.cork() // many frames, one write: what it wakes on the way then finds much to do
    while (carrier?.writable === true && !this.#blocked) {
      const pieces = this.#protocol.transmit(this.#now())
      if (pieces.length === 0) break
      this.#blocked = !this.#write(carrier, pieces, this.#protocol.emptied())
    }
    carrier?.uncork()
    this.#protocol.report(this.#protocol.emptied())
    this.#pumping = false
    if (this.#protocol.over && !this.#blocked) this.#sayGoodbye()
    this.#setTimer()
  }

  /** `emptied` is reported when the carrier has taken the pieces: their writers may go on. */
  #write(carrier: Duplex, pieces: Uint8Array[], emptied: StreamState[]): boolean {
    const taken = emptied.length === 0 ? undefined : this.#saying(emptied)
    const last = pieces.length - 1
    let more = true
    for (let i = 0; i <= last; i++) more = carrier.write(pieces[i]!, i === last ? taken : undefined)
    return more
  }

  #saying(emptied: StreamState[]): () => void {
    this.#unsaid.add(emptied)
    return () => {
      if (this.#unsaid.delete(emptied)) this.#protocol.report(emptied)
    }
  }

  #setTimer(): void {
    const at = this.#protocol.deadline
    if (at === this.#timerAt && this.#timer !== undefined) return
    // A deadline that moved away is noticed when the timer fires: most of them only move away.
    if (this.#timer !== undefined && at > this.#timerAt && at !== Number.POSITIVE_INFINITY) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerAt = at
    if (at === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(this.#timeout, Math.max(1, Math.ceil(at - this.#now())))
  }

  readonly #timeout = (): void => {
    this.#timer = undefined
    const now = this.#now()
    if (now - this.#freedAt >= UNUSED_MS) {
      this.#freedAt = now
      freeUnused()
    }
    if (!this.#protocol.timeout(now)) {
      if (this.#onDetached === undefined) this.#protocol.end('timeout')
      else this.detach(new Error(`no answer for ${SILENCE_MS / 1_000} s`))
    }
    this.#pump()
  }

  // ---- what happened -----------------------------------------------------------------------------------------------

  #opened(state: StreamState, request: Uint8Array): void {
    const stream = new MuxStream(this)
    stream.attach(state)
    state.events = eventsOf(stream)
    this.#onStream(stream, Uint8Array.from(request))
  }

  #over(code: GoAwayCode, theirs: boolean): void {
    this.#end ??= { code }
    if (theirs || code === 'lost' || code === 'timeout' || this.#carrier === undefined) this.#finish()
    else {
      // Whatever the carrier does, the goodbye does not take longer than this.
      const limit = setTimeout(() => this.#finish(), GOODBYE_MS)
      this.#carrier.once('close', () => clearTimeout(limit))
      this.#wake()
    }
  }

  #sayGoodbye(): void {
    if (this.#carrier?.writable) this.#carrier.end(() => this.#finish())
    else this.#finish()
  }

  #finish(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#release()
    this.#settle(this.#end ?? { code: 'lost' })
  }
}

function eventsOf(stream: MuxStream): StreamEvents {
  return {
    data: (bytes: Uint8Array) => stream.data(bytes),
    ended: () => stream.ended(),
    reset: (code: ResetCode) => stream.resetArrives(code),
    taken: () => stream.taken(),
    kept: () => stream.kept()
  }
}
