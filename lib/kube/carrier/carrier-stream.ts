// A port-forward as one Duplex, with backpressure both ways; how the port's bytes lie in its messages is said by the protocols that extend
// this, and in what these lie by a framing. Nobody pings here: a ping does not reset the runtime's idle limit and can stall an upload.
// Liveness belongs to the mux.
import { Duplex } from 'node:stream'
import { KtError } from '../../errors.ts'
import type { Line } from '../api/dial.ts'
import type { Framing, FramingEvents } from './framing.ts'
import { CLIENT_HEADER_MAX_BYTES } from './websocket.ts'

/**
 * Data of one message up, with what is put before it two reads of 32 KiB for every hop: as much as the mux gathers (lib/mux/gather.ts).
 */
const FRAME_MAX_BYTES = 64 * 1024 - 8 - CLIENT_HEADER_MAX_BYTES
/** A chunk of the socket is freed by us from this size on, bytes. */
const FREE_BYTES = 4_096
/** The longest header of a frame, with what the protocol puts before its data. */
const HEADER_MAX_BYTES = CLIENT_HEADER_MAX_BYTES + 8
/** Frames that go to the socket as one write: whom it wakes then finds much to do. */
const BATCH_FRAMES = 4
const BATCH_BYTES = BATCH_FRAMES * (HEADER_MAX_BYTES + FRAME_MAX_BYTES)
/** Buffers for batches that are kept for the next ones. Less than SMALL_BYTES needs none. */
const SPARE_BATCHES = 2
const SMALL_BYTES = 4_096
/** Between us and the socket at most this waits: what lies here delays every stream of the mux. */
const UP_BYTES = BATCH_FRAMES * FRAME_MAX_BYTES
const DOWN_BYTES = 128 * 1024
/** A turn of the event loop that brings less is no bulk: somebody may wait for what follows it. */
const REST_BYTES = 16 * 1024
/** Node has no shorter time, ms. */
const REST_MS = 1
/** The runtime's complaint is a line; more of it is not kept. */
const COMPLAINT_MAX_CHARS = 1_000
/** A goodbye that is not taken or answered in this time is not waited for. */
export const GOODBYE_LIMIT_MS = 1_000

export abstract class CarrierStream extends Duplex {
  readonly #socket: Line
  readonly #target: { pod: string; port: number }
  protected readonly framing: Framing
  #complaint = ''
  #heard: boolean = false
  #closing: boolean = false
  /** The end was said in another way than by a goodbye, which follows. */
  protected finishing: boolean = false
  /** The cluster has said its last. */
  #over: boolean = false
  #unblock: (() => void) | undefined
  /** What the present turn of the event loop has brought, bytes. */
  #turnBytes = 0
  #resting = false
  /** Our reader wants no more for now. */
  #held = false
  /** Listeners get memory of their own. */
  ownMemory: boolean = false
  readonly #spareBatches: Buffer[] = []

  constructor(socket: Line, target: { pod: string; port: number }, framing: (events: FramingEvents) => Framing) {
    super({ readableHighWaterMark: DOWN_BYTES, writableHighWaterMark: UP_BYTES, allowHalfOpen: false })
    this.#socket = socket
    this.#target = target
    this.framing = framing({
      message: (bytes, first) => this.message(bytes, first),
      answer: frame => this.aside(frame, 'answer'),
      closed: () => this.conclude()
    })
  }

  /** To be called once, before anything else; `rest` are the bytes that came behind the answer to the upgrade. */
  start(rest: Buffer): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('turn', () => {
      this.emit('turn')
      this.#rest()
    })
    socket.on('drain', () => this.#drained())
    socket.on('error', error => this.#lost(error.message, error))
    socket.on('close', () => this.#lost('the connection to the API server was closed'))
    if (rest.length > 0) this.#received(rest)
  }

  /** The address of this computer that it uses. */
  get localAddress(): string | undefined {
    return 'localAddress' in this.#socket ? this.#socket.localAddress : undefined
  }

  /** A part of a message has come; `first` is true for the part that begins it. */
  protected abstract message(bytes: Uint8Array, first: boolean): void
  /** All headers of a message with `length` bytes of data to follow: at most HEADER_MAX_BYTES. */
  protected abstract headers(length: number): Uint8Array

  override _read(): void {
    this.#held = false
    if (!this.#resting) this.#socket.resume()
  }

  /**
   * An API server hands on 32 KiB at a time, and to be woken for each of them costs as much as to read them. So after a turn in bulk nothing is
   * read for a moment, until there is more.
   */
  #rest(): void {
    const bytes = this.#turnBytes
    this.#turnBytes = 0
    if (bytes < REST_BYTES || this.#resting || this.destroyed) return
    this.#resting = true
    this.#socket.pause()
    setTimeout(() => {
      this.#resting = false
      if (!this.#held) this.#socket.resume()
    }, REST_MS)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.send([chunk], done)
  }

  /** All that waits goes out together: small frames of the mux share a message. */
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.send(
      chunks.map(({ chunk }) => chunk),
      done
    )
  }

  override _final(done: () => void): void {
    this.goodbye()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#closing) this.goodbye()
    this.#unblock = undefined
    this.#socket.removeAllListeners('data')
    this.#socket.resume() // so that its end is seen
    setTimeout(() => this.#socket.destroy(), GOODBYE_LIMIT_MS).unref()
    done(error)
  }

  /**
   * As few messages as the limit allows, each in one frame: the runtime corrupts fragmented ones. Frames are put together here
   * and written as one buffer, because TLS would copy several of them into fresh memory.
   */
  protected send(chunks: Buffer[], done: () => void): void {
    const socket = this.#socket
    let left = chunks.reduce((sum, { length }) => sum + length, 0)
    let flowing = true
    let chunk = 0
    let from = 0
    while (left > 0) {
      const small = left < SMALL_BYTES
      const batch = small ? Buffer.allocUnsafe(HEADER_MAX_BYTES + left) : this.#takeBatch()
      let end = 0
      for (let frames = 0; frames < BATCH_FRAMES && left > 0; frames++) {
        const headers = this.headers(Math.min(left, FRAME_MAX_BYTES))
        batch.set(headers, end)
        end += headers.length
        const frameEnd = end + Math.min(left, FRAME_MAX_BYTES)
        left -= frameEnd - end
        while (end < frameEnd) {
          const n = chunks[chunk]!.copy(batch, end, from, from + frameEnd - end)
          end += n
          from += n
          if (from < chunks[chunk]!.length) continue
          chunk += 1
          from = 0
        }
      }
      flowing = socket.write(batch.subarray(0, end), error => {
        if (!error && !small && this.#spareBatches.length < SPARE_BATCHES) this.#spareBatches.push(batch)
      })
    }
    // Not at once: what is written meanwhile then comes together, as one frame.
    if (flowing || socket.destroyed) process.nextTick(done)
    else this.#unblock = done
  }

  #takeBatch(): Buffer {
    return this.#spareBatches.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES)
  }

  /** A frame of our own that carries no data. An answer is left out while the cluster does not take what is written. */
  protected aside(frame: Uint8Array, kind: 'needed' | 'answer'): void {
    if (this.#closing || (kind === 'answer' && this.#socket.writableLength > UP_BYTES)) return
    this.#socket.write(frame)
  }

  #drained(): void {
    const done = this.#unblock
    this.#unblock = undefined
    done?.()
  }

  /** The chunk is freed at once: left to the garbage collector it would be the cause of most of its work. */
  #received(chunk: Buffer): void {
    this.#turnBytes += chunk.length
    const wrong = this.framing.push(chunk)
    if (chunk.length >= FREE_BYTES && chunk.length === chunk.buffer.byteLength)
      (chunk.buffer as ArrayBuffer).transfer(0)
    if (wrong !== undefined) this.broke(`broke the WebSocket protocol: ${wrong}`)
  }

  /** Bytes of the port. */
  protected deliver(data: Uint8Array): void {
    if (this.#over || this.destroyed) return
    this.#heard = true
    // A listener that is waiting for it uses it at once; whatever has to wait must outlive the chunk.
    const atOnce = this.readableFlowing === true && this.readableLength === 0 && !this.ownMemory
    if (this.push(atOnce ? data : Buffer.from(data))) return
    this.#held = true
    this.#socket.pause()
  }

  /** Words of the runtime: something is wrong with the port. */
  protected complaint(text: Uint8Array): void {
    if (this.#complaint.length < COMPLAINT_MAX_CHARS) this.#complaint += Buffer.from(text).toString('utf8')
  }

  /** The cluster has closed the port-forward. */
  protected conclude(): void {
    if (this.#over || this.destroyed) return
    this.#over = true
    if (this.#complaint !== '') this.destroy(this.#complain())
    else if (!this.#heard && !this.#closing && !this.finishing)
      this.broke('was closed by the cluster before the pod answered')
    else {
      this.goodbye()
      this.push(null)
    }
  }

  protected goodbye(): void {
    if (this.#closing) return
    this.#closing = true
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.end(this.framing.goodbye)
  }

  #lost(why: string, cause?: Error): void {
    if (this.#closing || this.destroyed || this.finishing) {
      if (!this.#over) this.push(null)
      this.#over = true
      this.#drained()
      return
    }
    this.destroy(this.#complaint === '' ? this.#error('KT_CARRIER_LOST', `broke: ${why}`, cause) : this.#complain())
  }

  #complain(): KtError {
    const text = this.#complaint.trim().replace(/\s+/g, ' ')
    const what = text.includes('connection refused') ? 'failed: nothing listens there' : `failed: ${text}`
    return this.#error(this.#heard ? 'KT_CARRIER_LOST' : 'KT_CARRIER_REFUSED', what, new Error(text))
  }

  protected broke(what: string): void {
    this.destroy(this.#error('KT_CARRIER_LOST', what))
  }

  #error(code: 'KT_CARRIER_LOST' | 'KT_CARRIER_REFUSED', what: string, cause?: unknown): KtError {
    return new KtError(code, `the port-forward to pod ${this.#target.pod} port ${this.#target.port} ${what}`, { cause })
  }
}
