// One port-forward to one port of a pod, as one Duplex: the legacy WebSocket protocol `v4.channel.k8s.io`, framed by us, with
// backpressure both ways. The API client's PortForward has none (723 MB of memory against a slow reader) and loses closes.
// Nobody pings here: a ping does not reset the runtime's idle limit and can stall an upload. Liveness belongs to the mux.
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { KtError } from '../errors.ts'
import { type ApiStatus, refused, unreachable } from './api-error.ts'
import type { Cluster } from './client.ts'
import { PODS, pathOf, type Request } from './resource.ts'
import { upgrade } from './upgrade.ts'
import {
  BINARY,
  CLIENT_HEADER_MAX_BYTES,
  CLOSE,
  clientHeader,
  controlFrame,
  FrameReader,
  PING,
  PONG
} from './websocket.ts'

const PROTOCOL = 'v4.channel.k8s.io'
/** Channels of the first port: 2n carries its bytes, 2n+1 the runtime's complaint. */
const DATA_CHANNEL = 0
const ERROR_CHANNEL = 1
/** Each channel begins with the port number, little-endian, which is no data. */
const PREAMBLE_BYTES = 2
/** Payload of one frame up: measured best from 16 to 64 KiB; with room for the header of a full mux frame. */
const FRAME_MAX_BYTES = 64 * 1024 + 64
/** A chunk of the socket is freed by us from this size on, bytes. */
const FREE_BYTES = 4_096
/** The longest header of a frame, with the byte that names the channel. */
const HEADER_MAX_BYTES = CLIENT_HEADER_MAX_BYTES + 1
/** Buffers for frames that are kept for the next ones. */
const SPARE_FRAMES = 4
/** Between us and the socket at most this waits each way: what lies here delays every stream of the mux. */
const HIGH_WATER_BYTES = 128 * 1024
/** From the dialled connection to the answer; normally 10 to 25 ms beside the round trips. */
const UPGRADE_LIMIT_MS = 10_000
/** The runtime's complaint is a line; more of it is not kept. */
const COMPLAINT_MAX_CHARS = 1_000
/** A goodbye that the socket does not take in this time is not waited for. */
const GOODBYE_LIMIT_MS = 1_000

export interface CarrierOptions {
  pod: string
  /** A port on which the pod listens on 127.0.0.1. */
  port: number
  /** Of the pod; else the cluster's. */
  namespace?: string
  signal?: AbortSignal
}

/**
 * Open a port-forward. An open carrier does not mean that the port answers: the runtime dials later, and a refused port
 * destroys the carrier with KT_CARRIER_REFUSED. It has no half-close: `end` closes it as a whole after what was written.
 * The cluster's close ends it; a broken connection destroys it with KT_CARRIER_LOST. Rejects with KtError. What a 'data' listener
 * gets is valid during the call only; `read` and iteration give memory of its own.
 */
export async function openCarrier(cluster: Cluster, options: CarrierOptions): Promise<Duplex> {
  const limit = AbortSignal.timeout(UPGRADE_LIMIT_MS)
  const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit])
  const first = await attempt(cluster, options, signal)
  if (!('status' in first)) return first
  // A token may have expired since the last call; a plugin is asked once more.
  const second =
    first.status.status === 401 && cluster.credentials.invalidate() ? await attempt(cluster, options, signal) : first
  if (!('status' in second)) return second
  throw explain(second.status, cluster, options)
}

async function attempt(
  cluster: Cluster,
  options: CarrierOptions,
  signal: AbortSignal
): Promise<Carrier | { status: ApiStatus }> {
  const identity = await cluster.credentials.current()
  const socket = await cluster.dial(identity, options.signal)
  try {
    const path = pathOf(requestFor(cluster, options), cluster.server.pathname)
    const answer = await upgrade(
      socket,
      { path, host: cluster.server.host, protocol: PROTOCOL, headers: identity.headers },
      signal
    )
    if (answer.accepted && answer.protocol === PROTOCOL) return new Carrier(socket, answer.rest, options)
    socket.destroy()
    if (answer.accepted)
      throw new KtError(
        'KT_CARRIER_REFUSED',
        `the API server chose the protocol "${answer.protocol}" in place of ${PROTOCOL}`
      )
    return { status: answer.status }
  } catch (cause) {
    socket.destroy()
    if (cause instanceof KtError) throw cause
    options.signal?.throwIfAborted()
    const why = signal.aborted ? new Error(`no answer to the port-forward within ${UPGRADE_LIMIT_MS / 1000} s`) : cause
    throw unreachable(cluster.server, why, cluster.proxy)
  }
}

function requestFor(cluster: Cluster, { pod, port, namespace }: CarrierOptions): Request {
  return {
    ...PODS,
    verb: 'get',
    namespace: namespace ?? cluster.namespace,
    name: pod,
    subresource: 'portforward',
    query: { ports: String(port) }
  }
}

/** What a refusal means here (reference: 404 no pod, 400 not scheduled, empty 403 another protocol). */
function explain(status: ApiStatus, cluster: Cluster, options: CarrierOptions): KtError {
  const { pod } = options
  if (status.status === 403 && status.message === '')
    return new KtError('KT_CARRIER_REFUSED', `the cluster does not offer port-forward by WebSocket (${PROTOCOL})`, {
      hint: 'a proxy before the API server may remove the Sec-WebSocket-Protocol header',
      cause: status
    })
  const error = refused(status, requestFor(cluster, options), cluster.user)
  if (error.code !== 'KT_API') return error
  return new KtError(
    'KT_CARRIER_REFUSED',
    `no port-forward to pod ${pod}: ${status.message || `HTTP ${status.status}`}`,
    { cause: status }
  )
}

function newFrame(): Buffer {
  return Buffer.allocUnsafeSlow(HEADER_MAX_BYTES + FRAME_MAX_BYTES)
}

class Carrier extends Duplex {
  readonly #socket: Socket
  readonly #options: CarrierOptions
  readonly #reader: FrameReader
  #channel = -1
  /** Preamble bytes still to be skipped, per channel. */
  #preamble = [PREAMBLE_BYTES, PREAMBLE_BYTES]
  #complaint = ''
  #heard: boolean = false
  #closing: boolean = false
  #unblock: (() => void) | undefined
  readonly #spareFrames: Buffer[] = []

  constructor(socket: Socket, rest: Buffer, options: CarrierOptions) {
    super({ highWaterMark: HIGH_WATER_BYTES, allowHalfOpen: false })
    this.#socket = socket
    this.#options = options
    this.#reader = new FrameReader({
      data: (bytes, first) => this.#message(bytes, first),
      control: (op, bytes) => this.#control(op, bytes)
    })
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('drain', () => this.#drained())
    socket.on('error', error => this.#lost(error.message, error))
    socket.on('close', () => this.#lost('the connection to the API server was closed'))
    if (rest.length > 0) this.#received(rest)
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send([chunk], done)
  }

  /** All that waits goes out together: small frames of the mux share a WebSocket frame. */
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done
    )
  }

  override _final(done: () => void): void {
    this.#goodbye()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#closing) this.#goodbye()
    this.#unblock = undefined
    this.#socket.removeAllListeners('data')
    this.#socket.resume() // so that its end is seen
    setTimeout(() => this.#socket.destroy(), GOODBYE_LIMIT_MS).unref()
    done(error)
  }

  /**
   * As few frames as the limit allows, each a whole message: the runtime corrupts fragmented ones. A frame is put together here
   * and written as one buffer, because TLS would copy several of them into fresh memory.
   */
  #send(chunks: Buffer[], done: () => void): void {
    const socket = this.#socket
    let flowing = true
    let frame = this.#spareFrames.pop() ?? newFrame()
    let end = HEADER_MAX_BYTES
    const flush = () => {
      const length = end - HEADER_MAX_BYTES
      const header = clientHeader(BINARY, length + 1, 1)
      header[header.length - 1] = DATA_CHANNEL
      const start = HEADER_MAX_BYTES - header.length
      frame.set(header, start)
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
    if (wrong !== undefined) this.destroy(this.#error('KT_CARRIER_LOST', `broke the WebSocket protocol: ${wrong}`))
  }

  #message(bytes: Uint8Array, first: boolean): void {
    let at = 0
    if (first) this.#channel = bytes[at++]!
    const skip = Math.min(this.#preamble[this.#channel] ?? 0, bytes.length - at)
    if (skip > 0) this.#preamble[this.#channel]! -= skip
    at += skip
    if (at === bytes.length) return
    if (this.#channel === DATA_CHANNEL) {
      this.#heard = true
      const data = bytes.subarray(at)
      // A listener that is waiting for it uses it at once; whatever has to wait must outlive the chunk.
      const atOnce = this.readableFlowing === true && this.readableLength === 0
      if (!this.push(atOnce ? data : Buffer.from(data))) this.#socket.pause()
    } else if (this.#channel === ERROR_CHANNEL && this.#complaint.length < COMPLAINT_MAX_CHARS)
      this.#complaint += Buffer.from(bytes.subarray(at)).toString('utf8')
    // Other channels are not ours: ignored, as the server ignores them.
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === PING) this.#socket.write(controlFrame(PONG, payload))
    if (opcode !== CLOSE) return
    // The code is 1000 for everything, a killed pod included; only the error channel tells more.
    if (this.#complaint !== '') this.destroy(this.#complain())
    else if (!this.#heard && !this.#closing)
      this.destroy(this.#error('KT_CARRIER_LOST', 'was closed by the cluster before the pod answered'))
    else {
      this.#goodbye()
      this.push(null)
    }
  }

  #goodbye(): void {
    if (this.#closing) return
    this.#closing = true
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.end(controlFrame(CLOSE, Uint8Array.of(3, 232))) // 1000
  }

  #lost(why: string, cause?: Error): void {
    if (this.#closing || this.destroyed) {
      this.push(null)
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

  #error(code: 'KT_CARRIER_LOST' | 'KT_CARRIER_REFUSED', what: string, cause?: unknown): KtError {
    return new KtError(code, `the port-forward to pod ${this.#options.pod} port ${this.#options.port} ${what}`, {
      cause
    })
  }
}
