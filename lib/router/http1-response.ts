// What comes from a server in answer to one request: passed on as it is, and watched for its end.
import { BodyReader, persists, responseFraming } from './http1-body.ts'
import { END_OF_HEAD, hasBareLineFeed, MAX_HEAD, parseResponseHead, rewriteHead } from './http1-head.ts'

/** How far the answer is. `tunnel`: what follows is no HTTP any more, in both directions. */
export type Progress = 'head' | 'body' | 'done' | 'tunnel'

/** RFC 9110 §7.8, §9.3.6. */
const SWITCHING_PROTOCOLS = 101
/** Fields of a connection that is to be kept. */
const KEEPING: ReadonlySet<string> = new Set(['connection', 'keep-alive'])

export class ResponseReader {
  readonly #method: string
  #head: Buffer | undefined
  #body: BodyReader | undefined
  progress: Progress = 'head'
  /** The server goes on with the connection after this answer, and the caller has not been told otherwise. */
  persists = false
  /** Only the end of the connection ends the answer: it has no length, or cannot be understood. */
  untilClose = false
  /** Set: the final head is to say that the connection ends. */
  lastOne = false

  constructor(method: string) {
    this.#method = method
  }

  /** What of `bytes` goes to the caller now; `rest` is no part of this answer. Heads wait until they are complete. */
  push(bytes: Buffer): { answer: Buffer; rest: Buffer | undefined } {
    const held = this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes])
    this.#head = undefined
    let at = 0
    let final: { start: number; end: number } | undefined
    while (this.progress === 'head' && at < held.length) {
      const end = held.indexOf(END_OF_HEAD, at) + 4
      if (end < 4) {
        if (isBeginning(held.subarray(at))) {
          this.#head = held.subarray(at)
          return { answer: held.subarray(0, at), rest: undefined }
        }
        this.#opaque()
        break
      }
      if (this.#understand(held, at, end)) final = { start: at, end }
      at = end
    }
    if (this.progress === 'body') at = this.#follow(held, at)
    const rest = at < held.length ? held.subarray(at) : undefined
    if (final === undefined || !this.lastOne) return { answer: rest === undefined ? held : held.subarray(0, at), rest }
    this.persists = false
    const head = rewriteHead(held.subarray(final.start, final.end), KEEPING, ['Connection: close'])
    return { answer: Buffer.concat([held.subarray(0, final.start), head, held.subarray(final.end, at)]), rest }
  }

  /** True: this was the final head. */
  #understand(bytes: Buffer, start: number, end: number): boolean {
    const head = parseResponseHead(bytes, start, end)
    if (head === undefined) {
      this.#opaque()
      return false
    }
    const tunnels = this.#method === 'CONNECT' && head.status >= 200 && head.status < 300
    if (head.status === SWITCHING_PROTOCOLS || tunnels) {
      this.progress = 'tunnel'
      return false
    }
    if (head.status < 200) return false
    const framing = responseFraming(head, this.#method)
    this.untilClose = framing === 'close'
    this.persists = !this.untilClose && persists(head)
    this.#body = new BodyReader(framing)
    this.progress = this.#body.done ? 'done' : 'body'
    return true
  }

  /** The caller may make of it what he can. */
  #opaque(): void {
    this.progress = 'body'
    this.untilClose = true
    this.persists = false
    this.#body = new BodyReader('close')
  }

  #follow(bytes: Buffer, start: number): number {
    const end = this.#body?.read(bytes, start)
    if (end === undefined) {
      this.#opaque()
      return bytes.length
    }
    if (this.#body?.done === true) this.progress = 'done'
    return end
  }
}

/** It may still become a head. */
function isBeginning(bytes: Buffer): boolean {
  return bytes.length < MAX_HEAD && !hasBareLineFeed(bytes)
}
