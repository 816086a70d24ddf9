// A port-forward inside a WebSocket as one Duplex, with backpressure both ways; how the port's bytes lie in the messages is said by
// the protocols that extend this. Nobody pings here: a ping does not reset the runtime's idle limit and can stall an upload.
// Liveness belongs to the mux.
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { KtError } from '../../errors.ts'
import { CLIENT_HEADER_MAX_BYTES, CLOSE, controlFrame, FrameReader, PING, PONG } from './websocket.ts'

/** Data of one message up: measured best from 16 to 64 KiB; with room for the header of a full mux frame. */
const FRAME_MAX_BYTES = 64 * 1024 + 64
/** A chunk of the socket is freed by us from this size on, bytes. */
const FREE_BYTES = 4_096
/** The longest header of a frame, with what the protocol puts before its data. */
const HEADER_MAX_BYTES = CLIENT_HEADER_MAX_BYTES + 8
/** Buffers for frames that are kept for the next ones. */
const SPARE_FRAMES = 4
/** Between us and the socket at most this waits each way: what lies here delays every stream of the mux. */
const HIGH_WATER_BYTES = 128 * 1024
/** The runtime's complaint is a line; more of it is not kept. */
const COMPLAINT_MAX_CHARS = 1_000
/** A goodbye that is not taken or answered in this time is not waited for. */
export const GOODBYE_LIMIT_MS = 1_000

function newFrame(): Buffer {
  return Buffer.allocUnsafeSlow(HEADER_MAX_BYTES + FRAME_MAX_BYTES)
}

export abstract class CarrierStream extends Duplex {
  readonly #socket: Socket
  readonly #target: { pod: string; port: number }
  readonly #reader: FrameReader
  #complaint = ''
  #heard: boolean = false
  #closing: boolean = false
  /** The end was said in another way than by a goodbye, which follows. */
  protected finishing: boolean = false
  /** The cluster has said its last. */
  #over: boolean = false
  #unblock: (() => void) | undefined
  readonly #spareFrames: Buffer[] = []

  constructor(socket: Socket, target: { pod: string; port: number }) {
    super({ highWaterMark: HIGH_WATER_BYTES, allowHalfOpen: false })
    this.#socket = socket
    this.#target = target
    this.#reader = new FrameReader({
      data: (bytes, first) => this.message(bytes, first),
      control: (op, bytes) => this.#control(op, bytes)
    })
  }

  /** To be called once, before anything else; `rest` are the bytes that came behind the answer to the upgrade. */
  start(rest: Buffer): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('drain', () => this.#drained())
    socket.on('error', error => this.#lost(error.message, error))
    socket.on('close', () => this.#lost('the connection to the API server was closed'))
    if (rest.length > 0) this.#received(rest)
  }

  /** The address of this computer that it uses. */
  get localAddress(): string | undefined {
    return this.#socket.localAddress
  }

  /** A part of a message has come; `first` is true for the part that begins it. */
  protected abstract message(bytes: Uint8Array, first: boolean): void
  /** All headers of a message with `length` bytes of data to follow: at most HEADER_MAX_BYTES. */
  protected abstract headers(length: number): Uint8Array

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.send([chunk], done)
  }

  /** All that waits goes out together: small frames of the mux share a WebSocket frame. */
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
   * As few messages as the limit allows, each in one frame: the runtime corrupts fragmented ones. A frame is put together here
   * and written as one buffer, because TLS would copy several of them into fresh memory.
   */
  protected send(chunks: Buffer[], done: () => void): void {
    const socket = this.#socket
    let flowing = true
    let frame = this.#spareFrames.pop() ?? newFrame()
    let end = HEADER_MAX_BYTES
    const flush = () => {
      const headers = this.headers(end - HEADER_MAX_BYTES)
      const start = HEADER_MAX_BYTES - headers.length
      frame.set(headers, start)
      const sent = frame
      flowing = socket.write(frame.subarray(start, end), error => {
        if (!error && this.#spareFrames.length < SPARE_FRAMES) this.#spareFrames.push(sent)
      })
    }
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        if (end === frame.length) {
          flush()
          frame = this.#spareFrames.pop() ?? newFrame()
          end = HEADER_MAX_BYTES
        }
        const part = chunk.subarray(at, at + frame.length - end)
        frame.set(part, end)
        at += part.length
        end += part.length
      }
    }
    if (end > HEADER_MAX_BYTES) flush()
    // Not at once: what is written meanwhile then comes together, as one frame.
    if (flowing || socket.destroyed) process.nextTick(done)
    else this.#unblock = done
  }

  /** A frame of our own that carries no data. An answer is left out while the cluster does not take what is written. */
  protected aside(frame: Uint8Array, kind: 'needed' | 'answer'): void {
    if (this.#closing || (kind === 'answer' && this.#socket.writableLength > HIGH_WATER_BYTES)) return
    this.#socket.write(frame)
  }

  #drained(): void {
    const done = this.#unblock
    this.#unblock = undefined
    done?.()
  }

  /** The chunk is freed at once: left to the garbage collector it would be the cause of most of its work. */
  #received(chunk: Buffer): void {
    const wrong = this.#reader.push(chunk)
    if (chunk.length >= FREE_BYTES && chunk.length === chunk.buffer.byteLength)
      (chunk.buffer as ArrayBuffer).transfer(0)
    if (wrong !== undefined) this.broke(`broke the WebSocket protocol: ${wrong}`)
  }

  /** Bytes of the port. */
  protected deliver(data: Uint8Array): void {
    if (this.#over || this.destroyed) return
    this.#heard = true
    // A listener that is waiting for it uses it at once; whatever has to wait must outlive the chunk.
    const atOnce = this.readableFlowing === true && this.readableLength === 0
    if (!this.push(atOnce ? data : Buffer.from(data))) this.#socket.pause()
  }

  /** Words of the runtime: something is wrong with the port. */
  protected complaint(text: Uint8Array): void {
    if (this.#complaint.length < COMPLAINT_MAX_CHARS) this.#complaint += Buffer.from(text).toString('utf8')
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === PING) this.aside(controlFrame(PONG, payload), 'answer')
    // The code is 1000 for everything, a killed pod included; only the complaint tells more.
    if (opcode === CLOSE) this.conclude()
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
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.end(controlFrame(CLOSE, Uint8Array.of(3, 232))) // 1000
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
