// A TCP connection as a Node Duplex: what is not read is not consumed, so the window closes and the application stops.
import { Duplex } from 'node:stream'
import { BLOCK_BYTES, giveBlock, takeBlock } from '../blocks.ts'
import type { Endpoint } from '../tcp/endpoint.ts'
import type { CloseReason } from '../tcp/tcb.ts'
import type { Path } from './path.ts'

/** The largest chunk that is handed on, the payload of a full frame of the mux; also how much may wait inside the Duplex, in bytes each way. */
const CHUNK_BYTES = BLOCK_BYTES - 30
/** From this size on a chunk that is read is a block that can be recycled, in bytes; smaller ones share Node's pool. */
const OWN_MEMORY_BYTES = 4096

/** What a connection needs of the stack. */
export interface ConnectionActions {
  now(): number
  /** The endpoint may have something to transmit, or a new deadline. */
  touched(): void
}

/** An error as Node's sockets have them: match on `code`. */
export class ConnectionError extends Error {
  readonly code: 'ECONNRESET' | 'ETIMEDOUT' | 'ECONNABORTED'

  constructor(code: ConnectionError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/**
 * `end()` is FIN and leaves the other direction open. `destroy()` before both directions have ended is RST. The peer's RST
 * destroys with ECONNRESET, its silence with ETIMEDOUT, the end of the stack with ECONNABORTED; an 'error' nobody listens to is
 * ignored, since what a peer does must not end the process. What is written belongs to the connection until the callback of `write` is
 * called, and if it is a block (lib/blocks.ts) for good; what is read belongs to the reader, who may `recycle` it.
 */
export class Connection extends Duplex {
  /** For `join`: chunks that are written here are not given back by who wrote them. */
  readonly keepsChunks = true
  readonly #path: Path
  readonly #endpoint: Endpoint
  readonly #actions: ConnectionActions
  /** Node has asked for more to read. */
  #wanted: boolean = false
  /** Writes the endpoint had no room for, how much of the first it has taken, and whom to tell once it has all. */
  #held: Uint8Array[] = []
  #heldAt = 0
  #written: ((error?: Error | null) => void) | undefined
  #shutdown: boolean = false
  #ended: boolean = false

  constructor(path: Path, endpoint: Endpoint, actions: ConnectionActions) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: CHUNK_BYTES,
      writableHighWaterMark: CHUNK_BYTES,
      decodeStrings: true
    })
    this.on('error', () => {})
    this.#path = path
    this.#endpoint = endpoint
    this.#actions = actions
  }

  get source(): string {
    return this.#path.source
  }
  get sourcePort(): number {
    return this.#path.sourcePort
  }
  get destination(): string {
    return this.#path.destination
  }
  get destinationPort(): number {
    return this.#path.destinationPort
  }

  /** Give back a chunk that was read from here: nobody may use it any more. What nobody gives back is garbage. */
  recycle(chunk: Uint8Array): void {
    giveBlock(chunk)
  }

  /** The stack's call, once per batch: segments have arrived, there may be bytes to read and room to write. */
  advance(): void {
    if (this.destroyed) return
    const { state, reason } = this.#endpoint
    if (state === 'CLOSED' && reason !== undefined) {
      this.destroy(errorFor(reason))
      return
    }
    this.#pull()
    this.#fill()
  }

  override _read(): void {
    this.#wanted = true
    this.#pull()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, written: (error?: Error | null) => void): void {
    this.#held.push(chunk)
    this.#written = written
    this.#fill()
  }

  override _writev(chunks: { chunk: Uint8Array }[], written: (error?: Error | null) => void): void {
    for (const { chunk } of chunks) this.#held.push(chunk)
    this.#written = written
    this.#fill()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#shutdown = true
    this.#endpoint.shutdown(this.#actions.now())
    this.#actions.touched()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#held = []
    this.#written = undefined
    // After both ends the endpoint finishes on its own: our FIN may still have to be sent again.
    if (!(this.#ended && this.#shutdown)) this.#endpoint.abort(this.#actions.now())
    this.#actions.touched()
    done(error)
  }

  /** Endpoint to reader, as far as the reader wants. */
  #pull(): void {
    const endpoint = this.#endpoint
    let consumed = 0
    while (this.#wanted && !this.#ended) {
      const bytes = endpoint.received()
      if (bytes.length === 0) {
        if (!endpoint.ended) break
        this.#ended = true
        this.push(null)
        break
      }
      const length = Math.min(bytes.length, CHUNK_BYTES)
      const chunk = copy(length === bytes.length ? bytes : bytes.subarray(0, length))
      // Before `push`, which may call back into here.
      endpoint.consumed(length)
      consumed += length
      this.#wanted = this.push(chunk)
    }
    if (consumed > 0) this.#actions.touched()
  }

  /** Writer to endpoint, as far as that has room. */
  #fill(): void {
    const held = this.#held
    if (held.length === 0) return
    let taken = 0
    let sent = 0
    for (const chunk of held) {
      const n = this.#send(chunk)
      sent += n
      this.#heldAt += n
      if (this.#heldAt < chunk.length) break
      this.#heldAt = 0
      taken++
    }
    if (sent > 0) this.#actions.touched()
    held.splice(0, taken)
    if (held.length > 0) return
    const written = this.#written
    this.#written = undefined
    written?.()
  }

  /** The rest of the first held chunk, or a part of it; a block that has been copied is free. */
  #send(chunk: Uint8Array): number {
    const from = this.#heldAt
    if (from === 0 && this.#endpoint.give(chunk)) return chunk.length
    const n = this.#endpoint.send(from === 0 ? chunk : chunk.subarray(from))
    if (from + n === chunk.length) giveBlock(chunk)
    return n
  }
}

function errorFor(reason: NonNullable<CloseReason>): ConnectionError {
  if (reason === 'timeout') return new ConnectionError('ETIMEDOUT', 'the peer does not answer any more')
  if (reason === 'reset') return new ConnectionError('ECONNRESET', 'connection reset by peer')
  return new ConnectionError('ECONNABORTED', 'the stack was closed')
}

/** A chunk of its own, since the bytes lie in the endpoint's ring. */
function copy(bytes: Uint8Array): Buffer {
  if (bytes.length < OWN_MEMORY_BYTES) return Buffer.from(bytes)
  const block = takeBlock()
  block.set(bytes)
  return bytes.length === block.length ? block : block.subarray(0, bytes.length)
}
