// The mux without streams of Node, without timers and without a clock: bytes and the time in, frames out. spec.md is the law.

import { ControlQueue } from './control-queue.ts'
import { Budget, ReceiveWindow } from './credit.ts'
import { CreditQueue } from './credit-queue.ts'
import { Decoder, type FrameSink } from './decoder.ts'
import { Flight, LEAST_FLIGHT } from './flight.ts'
import {
  ACK,
  CREDIT,
  DATA,
  FIN,
  GOAWAY,
  type GoAwayCode,
  goAwayCode,
  goAwayNumber,
  HEADER_LENGTH,
  MAX_REQUEST,
  OPEN,
  OPENER_CREDIT,
  PING,
  PONG,
  RESET,
  RETURN,
  type ResetCode,
  resetCode,
  resetNumber,
  setU32,
  u32,
  u32Bytes,
  u64
} from './frame.ts'
import { GATHER_BYTES, Gather } from './gather.ts'
import { Heartbeat } from './heartbeat.ts'
import { Receipts } from './receipts.ts'
import { Replay } from './replay.ts'
import { returnCredit } from './rest.ts'
import { Scheduler } from './scheduler.ts'
import { DEAF, type StreamEvents, StreamState } from './stream-state.ts'
import { StreamTable } from './stream-table.ts'

export type Role = 'client' | 'agent'

export interface ProtocolEvents {
  /** The peer has opened a stream: give it its `events` before anything else. The request is valid during the call. */
  opened(stream: StreamState, request: Uint8Array): void
  /** The session is over: our own fault report (`theirs` false) or the peer's goodbye. Called once. */
  over(code: GoAwayCode, theirs: boolean): void
}

export class Protocol implements FrameSink {
  readonly #events: ProtocolEvents
  readonly #decoder = new Decoder(this)
  readonly #budget = new Budget()
  readonly #scheduler = new Scheduler()
  readonly #gather = new Gather()
  readonly #streams: StreamTable
  readonly flight = new Flight()
  readonly #replay = new Replay()
  readonly #receipts = new Receipts()
  readonly #control = new ControlQueue()
  readonly #heartbeat: Heartbeat
  readonly #credits = new CreditQueue()
  #taken: StreamState[] = []
  #now: number
  #suspended = false
  #queuedBytes = 0
  over = false

  constructor(role: Role, now: number, events: ProtocolEvents) {
    this.#events = events
    this.#streams = new StreamTable(role === 'client')
    this.#now = now
    this.#heartbeat = new Heartbeat(now)
  }

  /** The last PING that was answered, ms; 0 before the first. */
  get roundTripMs(): number {
    return this.#heartbeat.roundTripMs
  }
  get streams(): number {
    return this.#streams.size
  }
  /** Bytes of all streams that are not in frames yet. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }
  get promisedBytes(): number {
    return this.#budget.promised
  }
  get receivedBytes(): number {
    return this.#receipts.received
  }

  /** When `timeout` wants to be called, on the scale of `now`. */
  get deadline(): number {
    if (this.over || this.#suspended) return Number.POSITIVE_INFINITY
    return Math.min(this.#heartbeat.deadline, this.#receipts.deadline)
  }

  /** Time has passed; ask `transmit` afterwards. False: the carrier is dead, because the peer has not answered for too long. */
  timeout(now: number): boolean {
    this.#now = now
    if (this.over || this.#suspended) return true
    const due = this.#heartbeat.timeout(now)
    if (due === 'ping') {
      this.#ping(now)
      returnCredit(this.#streams, this.#control, this.flight.roundTripMs)
    }
    return due !== 'dead'
  }

  /** The carrier is lost: nothing can be sent or expected until `resume`. Streams go on, as far as they can without a peer. */
  suspend(): void {
    this.#suspended = true
  }

  /** A new carrier, whose peer has received everything up to `position` of our frames. False: it cannot have; the session is over. */
  resume(position: number, now: number): boolean {
    this.#now = now
    if (this.over) return false
    if (!this.flight.resumed(position, now)) {
      this.end('protocol')
      return false
    }
    this.#suspended = false
    this.#replay.rewind(position)
    this.#receipts.told(now)
    this.#heartbeat.restart(now)
    return true
  }

  /** Bytes from the carrier, needed during the call only. */
  arrive(bytes: Uint8Array, now: number): void {
    if (this.over) return
    this.#now = now
    this.#receipts.arrived(bytes.length, now)
    if (!this.#decoder.push(bytes)) this.end('protocol')
    this.flight.settle(now)
  }

  /** Open a stream, or say why not. The request is copied. */
  open(request: Uint8Array, events: StreamEvents): StreamState | ResetCode {
    if (this.over) return 'closed'
    if (this.#streams.exhausted) {
      this.end('exhausted')
      return 'closed'
    }
    if (request.length > MAX_REQUEST) throw new RangeError(`a request has at most ${MAX_REQUEST} bytes`)
    if (this.#suspended && this.#control.crowded) return 'limit'
    const window = this.#streams.roomForOurs ? this.#budget.first(this.flight.roundTripMs) : 0
    if (window === 0) return 'limit'
    const id = this.#streams.takeId()
    const stream = new StreamState(id, OPENER_CREDIT, new ReceiveWindow(this.#budget, window, window), events)
    this.#streams.add(stream)
    const payload = new Uint8Array(4 + request.length)
    setU32(payload, 0, window)
    payload.set(request, 4)
    this.#control.push(OPEN, id, payload)
    return stream
  }

  /** Queue bytes; `taken` is reported after all of them are in frames. Until then their memory must stay as it is. */
  send(stream: StreamState, chunks: readonly Uint8Array[], now: number): void {
    if (stream.gone) return
    this.#queuedBytes -= stream.queued
    for (const bytes of chunks) stream.enqueue(bytes)
    this.#queuedBytes += stream.queued
    if (stream.queued === 0) this.#taken.push(stream)
    else this.#scheduler.activate(stream, now)
  }

  /** No more bytes from us. All that was sent must be in frames. */
  finish(stream: StreamState): void {
    if (stream.gone || stream.finished) return
    stream.finished = true
    this.#control.push(FIN, stream.id, NOTHING)
    if (stream.ended) this.#drop(stream)
  }

  reset(stream: StreamState, code: ResetCode): void {
    if (stream.gone) return
    this.#drop(stream)
    this.#queueReset(stream.id, code)
  }

  /** Bytes of the stream have been read: credit may be due. True: it is, transmit. */
  read(stream: StreamState): boolean {
    // What a stream leaves to be read counts until somebody has read it.
    if (stream.gone && stream.events.kept() === 0) stream.receive.release()
    return this.#credits.read(stream)
  }

  /** The session is over: GOAWAY is the last frame, all streams are gone. */
  end(code: GoAwayCode): void {
    if (this.over) return
    if (code !== 'lost') {
      if (code === 'flood') this.#control.clear()
      this.#control.push(GOAWAY, 0, u32Bytes(goAwayNumber(code)))
    }
    this.#finishSession(code, false)
  }

  /** What is due now, at most about GATHER_BYTES, as pieces for one write; empty when nothing is. Ask again until it is empty. */
  transmit(now: number): Uint8Array[] {
    this.#now = now
    if (this.#replay.pending) {
      const again = this.#replay.next()
      if (again.length > 0) return again
    }
    this.#gather.frugal = this.#replay.frugal
    this.#transmitControl(now)
    if (!this.over) this.#transmitData(now)
    const { bytes } = this.#gather
    if (bytes === 0) return NO_PIECES
    if (!this.over) this.#credits.transmit(this.#gather, now, this.flight.roundTripMs, bytes < GATHER_BYTES / 2)
    this.#gather.moveBlocks(this.#replay, this.flight.sent)
    this.flight.transmitted(this.#gather.bytes, now)
    const pieces = this.#gather.finish()
    this.#replay.keep(pieces)
    if (this.#replay.full) this.end('flood')
    return pieces
  }

  /** The streams that have been emptied since the last call: `report` them when what `transmit` has given is not needed any more. */
  emptied(): StreamState[] {
    const taken = this.#taken
    if (taken.length > 0) this.#taken = []
    return taken
  }

  /** Tell streams that they have been emptied. Apart from `transmit`, because they may send at once. */
  report(emptied: readonly StreamState[]): void {
    for (const stream of emptied) if (!stream.gone) stream.events.taken()
  }

  // ---- FrameSink -------------------------------------------------------------------------------------------------

  data(id: number, bytes: Uint8Array): boolean {
    const stream = this.#streams.get(id)
    if (stream === undefined) return this.#streams.known(id) || this.#violation('protocol')
    if (stream.ended) return this.#violation('protocol')
    if (!stream.receive.arrive(bytes.length)) return this.#violation('credit')
    this.#heartbeat.heard(this.#now)
    if (stream.hearsLittle(bytes.length, this.#now)) this.#receipts.hurry(this.#now)
    stream.events.data(bytes)
    if (stream.creditNoted) this.#credits.read(stream) // what could wait before may not any more
    return !this.over
  }

  control(type: number, id: number, payload: Uint8Array): boolean {
    switch (type) {
      case OPEN:
        return this.#openArrives(id, payload)
      case PING:
        this.#control.pong(payload)
        return true
      case PONG:
        return this.#pongArrives(payload)
      case ACK:
        return this.#ackArrives(u64(payload, 0))
      case GOAWAY:
        this.#finishSession(goAwayCode(u32(payload, 0)), true)
        return false
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) return this.#streams.known(id) || this.#violation('protocol')
    if (type === CREDIT) return this.#creditArrives(stream, u32(payload, 0))
    const { events, receive } = stream
    if (type === RETURN) return receive.returned(u32(payload, 0), events.kept()) || this.#violation('credit')
    if (type === FIN) return this.#finArrives(stream)
    this.#drop(stream)
    events.reset(resetCode(u32(payload, 0)))
    return !this.over
  }

  #openArrives(id: number, payload: Uint8Array): boolean {
    if (!this.#streams.takeTheirs(id)) return this.#violation('protocol')
    const window = this.#streams.roomForTheirs ? this.#budget.first(this.flight.roundTripMs) : 0
    if (window === 0) {
      this.#queueReset(id, 'limit')
      return !this.over
    }
    const receive = new ReceiveWindow(this.#budget, window, OPENER_CREDIT)
    const stream = new StreamState(id, u32(payload, 0), receive, DEAF)
    this.#streams.add(stream)
    this.#events.opened(stream, payload.subarray(4))
    this.read(stream) // the opener's credit is raised with the first thing that leaves
    return !this.over
  }

  #pongArrives(payload: Uint8Array): boolean {
    const measured = this.#heartbeat.pong(payload, this.#now)
    if (measured !== undefined) this.flight.roundTrip(measured.ms, this.#now, measured.alone)
    return true
  }

  #ackArrives(position: number): boolean {
    if (position > this.flight.acked) this.#heartbeat.heard(this.#now)
    if (!this.flight.acknowledged(position, this.#now)) return this.#violation('protocol')
    this.#replay.acknowledged(position)
    return true
  }

  #creditArrives(stream: StreamState, credit: number): boolean {
    if (credit === 0 || stream.credit + credit > Number.MAX_SAFE_INTEGER) return this.#violation('protocol')
    stream.credit += credit
    this.#scheduler.activate(stream, this.#now)
    return true
  }

  #finArrives(stream: StreamState): boolean {
    if (stream.ended) return this.#violation('protocol')
    stream.ended = true
    const { events } = stream
    if (stream.finished) this.#drop(stream)
    events.ended()
    return !this.over
  }

  #violation(code: GoAwayCode): boolean {
    this.end(code)
    return false
  }

  // ---- sending -----------------------------------------------------------------------------------------------------

  #queueReset(id: number, code: ResetCode): void {
    this.#control.push(RESET, id, u32Bytes(resetNumber(code)))
    if (this.#control.flooded) this.end('flood')
  }

  #transmitControl(now: number): void {
    const gather = this.#gather
    this.#control.move(gather)
    if (this.over) return
    const inPassing = gather.bytes > 0 || this.#receipts.due(now)
    this.#credits.transmit(gather, now, this.flight.roundTripMs, inPassing)
    this.#receipts.transmit(gather, now)
  }

  #transmitData(now: number): void {
    const { flight } = this
    while (this.#gather.bytes + HEADER_LENGTH < GATHER_BYTES) {
      const ahead = flight.onTheWay + this.#gather.bytes
      const bulk = ahead < (this.#heartbeat.probing ? 0 : flight.bound)
      const stream = this.#scheduler.next(ahead < flight.sparseBound, bulk)
      if (stream === undefined && !bulk) this.#heldBack(now)
      if (stream === undefined) return
      const room = GATHER_BYTES - HEADER_LENGTH - this.#gather.bytes
      const length = Math.min(stream.queued, stream.credit, room, this.#scheduler.limit(stream))
      if (stream.place === 'bulk') flight.bulk(stream.id, now)
      this.#gather.header(DATA, length, stream.id)
      stream.move(length, this.#gather)
      this.#queuedBytes -= length
      this.#scheduler.sent(stream, length, now)
      if (stream.queued === 0) this.#taken.push(stream)
      if (stream.queued === 0 && stream.place === 'sparse') {
        flight.interactive(stream.id, now)
        this.#receipts.hurry(now)
      }
    }
  }

  #heldBack(now: number): void {
    this.flight.heldBack()
    if (this.#heartbeat.probing) {
      if (this.#heartbeat.answered && this.flight.onTheWay <= LEAST_FLIGHT) this.#ping(now)
    } else if (this.flight.stale(now)) this.#heartbeat.probe(now)
  }

  #ping(now: number): void {
    this.#control.push(PING, 0, this.#heartbeat.ping(now, this.flight.onTheWay <= LEAST_FLIGHT))
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  #drop(stream: StreamState): void {
    if (stream.gone) return
    stream.gone = true
    this.#queuedBytes -= stream.queued
    stream.discard()
    if (stream.events.kept() === 0) stream.receive.release()
    this.#streams.remove(stream)
  }

  #finishSession(code: GoAwayCode, theirs: boolean): void {
    if (this.over) return
    this.over = true
    for (const stream of this.#streams.all()) {
      this.#drop(stream)
      stream.events.reset('closed')
    }
    this.#events.over(code, theirs)
  }
}

const NOTHING = new Uint8Array(0)
const NO_PIECES: Uint8Array[] = []
