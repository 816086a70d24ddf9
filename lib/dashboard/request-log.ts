// The last requests that came to local programs, with as much of their bodies as is kept.
import type { Duplex } from 'node:stream'
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib'
import { inboundTrace } from '../trace.ts'
import { BODY_MAX, type Exchanged, type Observed, observe } from './http-observer.ts'
import type { BodyView, Header, RequestRow } from './model.ts'

/** Requests that are remembered: with their bodies at most 20 MB. */
export const REQUESTS_MAX = 300
/** Connections that are followed at a time. */
const CONNECTIONS_MAX = 1024
/** Of a body that was compressed, bytes. */
const UNPACKED_MAX = 1 << 20

/** Costs nothing until `start`, and nothing after `stop`. Connections that are open already at `start` are not followed. */
export class RequestLog {
  readonly #all = new Map<number, Exchanged>()
  readonly #changed = new Set<Exchanged>()
  readonly #following = new Set<() => void>()
  #ids = 0

  start(): void {
    inboundTrace.subscribe(this.#onConnection)
  }

  stop(): void {
    inboundTrace.unsubscribe(this.#onConnection)
    for (const stop of this.#following) stop()
    this.#following.clear()
  }

  /** All that are remembered, oldest first. */
  rows(): RequestRow[] {
    return [...this.#all.values()].map(({ row }) => row)
  }

  /** Those that have begun or changed since the last call. */
  takeChanged(): RequestRow[] {
    const rows = [...this.#changed].map(({ row }) => row)
    this.#changed.clear()
    return rows
  }

  /** A body, unpacked; undefined: it is not remembered any more. */
  body(id: number, side: 'request' | 'response'): BodyView | undefined {
    const found = this.#all.get(id)
    if (found === undefined) return undefined
    const { row } = found
    const [kept, headers, passed] =
      side === 'request'
        ? ([found.requestBody, row.requestHeaders, row.requestBytes] as const)
        : ([found.responseBody, row.responseHeaders, row.responseBytes] as const)
    const bytes = unpacked(Buffer.concat(kept), headers)
    const text = bytes.toString('utf8')
    const base64 = text.includes('\0') || text.includes('\uFFFD')
    return { body: base64 ? bytes.toString('base64') : text, base64, cut: passed > BODY_MAX }
  }

  readonly #onConnection = (message: unknown): void => {
    if (this.#following.size >= CONNECTIONS_MAX) return
    const observed = message as Observed & { stream: Duplex }
    const stop = observe(observed, {
      nextId: () => ++this.#ids,
      changed: exchanged => this.#note(exchanged)
    })
    this.#following.add(stop)
    observed.socket.once('close', () => this.#following.delete(stop))
  }

  #note(exchanged: Exchanged): void {
    this.#changed.add(exchanged)
    this.#all.set(exchanged.row.id, exchanged)
    if (this.#all.size <= REQUESTS_MAX) return
    for (const [id, oldest] of this.#all) {
      this.#all.delete(id)
      this.#changed.delete(oldest)
      break
    }
  }
}

/** What cannot be unpacked stays as it is. */
function unpacked(bytes: Buffer, headers: readonly Header[]): Buffer {
  const coding = headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1].toLowerCase()
  try {
    // A body that was cut is unpacked as far as it goes.
    const options = { maxOutputLength: UNPACKED_MAX, finishFlush: constants.Z_SYNC_FLUSH }
    if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(bytes, options)
    if (coding === 'deflate') return inflateSync(bytes, options)
    if (coding === 'br')
      return brotliDecompressSync(bytes, {
        maxOutputLength: UNPACKED_MAX,
        finishFlush: constants.BROTLI_OPERATION_FLUSH
      })
  } catch {
    // shown as it came
  }
  return bytes
}
