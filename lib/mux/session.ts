// The rim of the mux: a carrier, a timer and Duplexes around protocol.ts.
import type { Duplex } from 'node:stream'
import type { GoAwayCode, ResetCode } from './frame.ts'
import { Protocol, type Role } from './protocol.ts'
import { MuxStream, type StreamOwner } from './stream.ts'
import type { StreamEvents, StreamState } from './stream-state.ts'

/** What is queued is written at once from here on, bytes; less waits for the end of the event loop's turn, to go in one write. */
const WRITE_NOW_BYTES = 32_768
/** The goodbye may take this long to leave, ms. */
const GOODBYE_MS = 1_000

export interface MuxSessionOptions {
  role: Role
  /** The peer has opened a stream. `request` is a copy. Reset what is not wanted. */
  onStream(stream: MuxStream, request: Uint8Array): void
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

/** Many streams over one carrier, which belongs to the session from now on. Its chunks are used during their 'data' event only. */
export class MuxSession implements StreamOwner {
  readonly #carrier: Duplex
  readonly #protocol: Protocol
  readonly #now: () => number
  readonly #onStream: MuxSessionOptions['onStream']
  /** Resolves once, however the session ends; never rejects. */
  readonly closed: Promise<MuxEnd>
  #settle: (end: MuxEnd) => void = () => {}
  #end: MuxEnd | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #pumpDue = false
  #pumping = false
  #blocked = false
  #waitingBytes = 0
  #arrived: MuxStream[] = []

  constructor(carrier: Duplex, options: MuxSessionOptions) {
    this.#carrier = carrier
    this.#now = options.now ?? (() => performance.now())
    this.#onStream = options.onStream
    this.closed = new Promise(resolve => {
      this.#settle = resolve
    })
    this.#protocol = new Protocol(options.role, this.#now(), {
      opened: (state, request) => this.#opened(state, request),
      over: (code, theirs) => this.#over(code, theirs)
    })
    carrier.on('data', this.#arrive)
    carrier.on('drain', this.#drained)
    carrier.on('error', this.#lost)
    carrier.on('end', this.#lost)
    carrier.on('close', this.#lost)
    this.#protocol.timeout(this.#now())
    this.#wake()
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

  /** Say GOAWAY and end the carrier; streams that are still open are reset. Resolves when all is done. */
  async close(code: GoAwayCode = 'done'): Promise<void> {
    this.#protocol.end(code)
    await this.closed
  }

  // ---- StreamOwner -------------------------------------------------------------------------------------------------

  send(state: StreamState, chunks: readonly Uint8Array[]): void {
    this.#protocol.send(state, chunks, this.#now())
    this.#waitingBytes += state.queued
    if (this.#waitingBytes >= WRITE_NOW_BYTES && !this.#pumping) this.#pump()
    else this.#wake()
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

  readonly #arrive = (bytes: Uint8Array): void => {
    this.#protocol.arrive(bytes, this.#now())
    this.#wake()
  }

  readonly #drained = (): void => {
    this.#blocked = false
    this.#pump()
  }

  readonly #lost = (error?: unknown): void => {
    this.#end ??= error instanceof Error ? { code: 'lost', error } : { code: 'lost' }
    this.#protocol.end('lost')
    this.#finish()
  }

  /** Write at the end of this turn of the event loop, so that what else happens in it shares the write. */
  #wake(): void {
    if (this.#pumpDue) return
    this.#pumpDue = true
    setImmediate(this.#pumpLater)
  }

  readonly #pumpLater = (): void => {
    this.#pumpDue = false
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
    while (!this.#blocked && carrier.writable) {
      const pieces = this.#protocol.transmit(this.#now())
      if (pieces.length === 0) break
      this.#blocked = !this.#write(pieces, this.#protocol.emptied())
    }
    this.#protocol.report(this.#protocol.emptied())
    this.#pumping = false
    if (this.#protocol.over && !this.#blocked) this.#sayGoodbye()
    this.#setTimer()
  }

  /** `emptied` is reported when the carrier has taken the pieces: their memory is the writers' again. */
  #write(pieces: Uint8Array[], emptied: StreamState[]): boolean {
    const taken = emptied.length === 0 ? undefined : () => this.#protocol.report(emptied)
    const last = pieces.length - 1
    if (last === 0) return this.#carrier.write(pieces[0]!, taken)
    let more = true
    this.#carrier.cork()
    for (let i = 0; i <= last; i++) more = this.#carrier.write(pieces[i]!, i === last ? taken : undefined)
    this.#carrier.uncork()
    return more
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
    this.#protocol.timeout(this.#now())
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
    if (theirs || code === 'lost' || code === 'timeout') this.#finish()
    else {
      // Whatever the carrier does, the goodbye does not take longer than this.
      const limit = setTimeout(() => this.#finish(), GOODBYE_MS)
      this.#carrier.once('close', () => clearTimeout(limit))
      this.#wake()
    }
  }

  #sayGoodbye(): void {
    if (this.#carrier.writable) this.#carrier.end(() => this.#finish())
    else this.#finish()
  }

  #finish(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#carrier.off('data', this.#arrive)
    this.#carrier.destroy()
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
