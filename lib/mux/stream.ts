// A stream as a Node Duplex. Half-open is normal; a RESET is `destroy` with a MuxResetError.
import { Duplex } from 'node:stream'
import { giveBlock, takeBlock } from '../blocks.ts'
import type { ResetCode } from './frame.ts'
import type { StreamState } from './stream-state.ts'

/** Bytes a reader may leave in Node's own buffer. */
const READ_BUFFER_BYTES = 131_072
/** A writer is asked to wait when the session wants no more and this lies in Node's buffer, bytes: more than one block. */
const WRITE_BUFFER_BYTES = 65_537
/** Pieces from here on, bytes, are gathered in blocks that can be recycled; TLS and the frames below cut bulk up into 9 KiB. */
const BULK_BYTES = 8_192
/** Waiting smaller pieces are put together in blocks of this size, bytes; else the overhead of each would defeat the credit. */
const SMALL_BLOCK_BYTES = 16_384

/** The stream was reset, by the peer, by us, or because its session ended (`closed`). */
export class MuxResetError extends Error {
  override readonly name = 'MuxResetError'
  readonly code = 'MUX_RESET'
  readonly resetCode: ResetCode

  constructor(resetCode: ResetCode) {
    super(`the stream was reset: ${resetCode}`)
    this.resetCode = resetCode
  }
}

/** What a stream asks of its session. */
export interface StreamOwner {
  /** Queue bytes. False: no more, until they are `taken`. */
  send(stream: StreamState, chunks: readonly Uint8Array[]): boolean
  finish(stream: StreamState): void
  reset(stream: StreamState, code: ResetCode): void
  read(stream: StreamState): void
  /** Bytes wait in the stream: `flush` it when nothing more comes in this turn of the event loop. */
  arrived(stream: MuxStream): void
}

/**
 * `end()` is FIN, `reset(code)` and `destroy()` before both directions have ended are RESET (`cancel` without an error). An
 * 'error' nobody listens to is ignored: what a peer does must not end the process. What is written belongs to the mux until the
 * peer has it, and if it is a block (lib/blocks.ts) for good; the callback of `write` says only that more is wanted. What is read
 * belongs to the reader, who may `recycle` it.
 */
export class MuxStream extends Duplex {
  /** For `join`: chunks that are written here are not given back by who wrote them. */
  readonly keepsChunks = true
  readonly #owner: StreamOwner
  #state: StreamState | undefined
  /** Of a write, or of the end, that waits until everything is in frames. */
  #written: ((error?: Error | null) => void) | undefined
  #wanted = false
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  // The last block of #waiting, as far as it is our own and has room.
  #block: Uint8Array | undefined
  #blockEnd = 0
  #ended = false
  #flushDue = false

  constructor(owner: StreamOwner) {
    super({ allowHalfOpen: true, readableHighWaterMark: READ_BUFFER_BYTES, writableHighWaterMark: WRITE_BUFFER_BYTES })
    this.#owner = owner
    this.on('error', ignore)
  }

  /** For the session: the protocol's side of this stream. */
  attach(state: StreamState): void {
    this.#state = state
  }

  /** The number of the stream in its session; 0 if it never came to be. */
  get id(): number {
    return this.#state?.id ?? 0
  }

  /** Give back a chunk that was read from here: nobody may use it any more. What nobody gives back is garbage. */
  recycle(chunk: Uint8Array): void {
    giveBlock(chunk)
  }

  /** End both directions at once; the peer sees `code`. */
  reset(code: ResetCode): void {
    this.destroy(new MuxResetError(code))
  }

  // ---- Duplex ------------------------------------------------------------------------------------------------------

  // Node calls `_read` before it takes bytes out of its buffer, and not at all for the last of them.
  override read(size?: number): unknown {
    const bytes: unknown = super.read(size)
    if (bytes !== null) this.#returnCredit()
    return bytes
  }

  override _read(): void {
    this.#wanted = true
    this.#deliver()
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#send([chunk], callback)
  }

  override _writev(chunks: { chunk: Uint8Array }[], callback: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback
    )
  }

  override _final(callback: (error?: Error | null) => void): void {
    const state = this.#state
    if (state === undefined || state.queued === 0) this.#finish(callback)
    else this.#written = error => (error ? callback(error) : this.#finish(callback))
  }

  /** Bytes that were written and wait in the session, beside the `writableLength` that wait here. */
  get queuedBytes(): number {
    return this.#state?.queued ?? 0
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const state = this.#state
    if (state !== undefined && !state.gone) {
      this.#owner.reset(state, error === null ? 'cancel' : error instanceof MuxResetError ? error.resetCode : 'reset')
    }
    this.#waiting = []
    this.#waitingBytes = 0
    this.#block = undefined
    this.#written?.(error ?? new MuxResetError('cancel'))
    this.#written = undefined
    this.#returnCredit() // what was kept for the reader is free
    callback(error)
  }

  #send(chunks: Uint8Array[], callback: (error?: Error | null) => void): void {
    const state = this.#state
    if (state === undefined || state.gone) callback(new MuxResetError('closed'))
    else if (this.#owner.send(state, chunks)) callback()
    else if (state.queued > 0) this.#written = callback
    else callback()
  }

  #finish(callback: () => void): void {
    if (this.#state !== undefined) this.#owner.finish(this.#state)
    callback()
  }

  #pushEnd(): void {
    this.#ended = false
    this.push(null)
  }

  #returnCredit(): void {
    if (this.#state !== undefined) this.#owner.read(this.#state)
  }

  // ---- StreamEvents ------------------------------------------------------------------------------------------------

  data(bytes: Uint8Array): void {
    if (this.destroyed) return
    if (this.#wanted && this.#waiting.length === 0 && bytes.length < BULK_BYTES) {
      this.#wanted = this.push(Buffer.from(bytes))
      this.#returnCredit()
      return
    }
    this.#wait(bytes)
    if (this.#wanted && !this.#flushDue) {
      this.#flushDue = true
      this.#owner.arrived(this)
    }
  }

  /** For the session: all that has come in this turn of the event loop is here. */
  flush(): void {
    this.#flushDue = false
    if (this.destroyed || !this.#wanted) return
    this.#deliver()
    this.#returnCredit()
  }

  /** To the reader, as far as the reader wants. */
  #deliver(): void {
    while (this.#wanted && this.#waiting.length > 0) {
      const bytes = this.#waiting.shift()!
      const whole = bytes === this.#block ? bytes.subarray(0, this.#blockEnd) : bytes
      if (bytes === this.#block) this.#block = undefined
      this.#waitingBytes -= whole.length
      this.#wanted = this.push(whole)
    }
    if (this.#ended && this.#waiting.length === 0) this.#pushEnd()
  }

  #wait(bytes: Uint8Array): void {
    this.#waitingBytes += bytes.length
    for (let at = 0; at < bytes.length; ) {
      if (this.#block === undefined || this.#blockEnd === this.#block.length) this.#openBlock(bytes.length - at)
      const block = this.#block!
      const n = Math.min(block.length - this.#blockEnd, bytes.length - at)
      block.set(n === bytes.length ? bytes : bytes.subarray(at, at + n), this.#blockEnd)
      this.#blockEnd += n
      at += n
    }
  }

  #openBlock(length: number): void {
    this.#closeBlock()
    if (length >= BULK_BYTES) this.#block = takeBlock()
    else {
      const room = this.#waiting.length === 0 ? Math.max(length * 2, 512) : SMALL_BLOCK_BYTES
      this.#block = Buffer.allocUnsafeSlow(Math.min(SMALL_BLOCK_BYTES, room))
    }
    this.#blockEnd = 0
    this.#waiting.push(this.#block)
  }

  // A block that is followed by another one keeps only its filled part in the list.
  #closeBlock(): void {
    if (this.#block === undefined) return
    this.#waiting[this.#waiting.length - 1] = this.#block.subarray(0, this.#blockEnd)
    this.#block = undefined
  }

  ended(): void {
    this.#ended = true
    if (this.#waiting.length === 0) this.#pushEnd()
  }

  taken(): void {
    if (this.#state !== undefined && this.#state.queued > 0) return // more has come since; it is told when that is taken
    const written = this.#written
    this.#written = undefined
    written?.()
  }

  kept(): number {
    return this.destroyed ? 0 : this.#waitingBytes + this.readableLength
  }

  /** For the session: the peer has reset the stream, or the session is over. */
  resetArrives(code: ResetCode): void {
    this.destroy(new MuxResetError(code))
  }
}

function ignore(): void {}
