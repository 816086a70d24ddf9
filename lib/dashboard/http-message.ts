// One direction of an HTTP/1 connection, read in passing: heads, bodies and where they end (RFC 9112). Pure; nothing that passes throws.
import type { Header } from './model.ts'

/** A longer head, or line of a chunk, is not looked at, characters. Node's own limit is 16 KiB. */
const HEAD_MAX = 65_536

export interface Head {
  /** The first line, split: method, target, version; or version, status, reason. */
  first: string
  second: string
  headers: Header[]
}

export interface MessageEvents {
  /** A head has passed. What it is followed by, where the head alone does not tell: nothing at all, or bytes of something else. */
  head(head: Head): 'none' | 'other' | 'framed'
  body(bytes: Uint8Array): void
  end(): void
}

type State = 'head' | 'length' | 'size' | 'chunk' | 'chunkEnd' | 'trailer' | 'close' | 'lost'

const REQUEST = /^([!#$%&'*+.^_`|~\w-]+) (\S+) HTTP\/1\.[01]$/
const RESPONSE = /^(HTTP\/1\.[01]) (\d{3})(?: .*)?$/

export class MessageReader {
  readonly #kind: 'request' | 'response'
  readonly #events: MessageEvents
  #state: State = 'head'
  /** Of the head or line that has not ended yet. */
  #text = ''
  /** Bytes of the body or chunk that are still to come. */
  #left = 0

  constructor(kind: 'request' | 'response', events: MessageEvents) {
    this.#kind = kind
    this.#events = events
  }

  /** What passes is no HTTP/1, or has become something else: nothing more is told. */
  get lost(): boolean {
    return this.#state === 'lost'
  }

  /** The next bytes, cut anywhere. They are not kept. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length && this.#state !== 'lost') at = this.#step(bytes, at)
  }

  /** The direction has ended: so has a body that goes on until then. */
  finish(): void {
    if (this.#state === 'close') this.#events.end()
    this.#state = 'lost'
  }

  #step(bytes: Uint8Array, at: number): number {
    switch (this.#state) {
      case 'length':
      case 'chunk':
      case 'close':
        return this.#bytes(bytes, at)
      case 'head':
        return this.#until(bytes, at, /\r?\n\r?\n$/, text => this.#head(text))
      case 'size':
        return this.#until(bytes, at, /\n$/, text => this.#size(text))
      case 'chunkEnd':
        return this.#until(bytes, at, /\n$/, () => this.#enter('size'))
      case 'trailer':
        return this.#until(bytes, at, /(^|\n)\r?\n$/, () => this.#ended())
      default:
        return bytes.length
    }
  }

  #bytes(bytes: Uint8Array, at: number): number {
    const end = this.#state === 'close' ? bytes.length : Math.min(bytes.length, at + this.#left)
    this.#events.body(bytes.subarray(at, end))
    if (this.#state === 'close') return end
    this.#left -= end - at
    if (this.#left === 0) {
      if (this.#state === 'chunk') this.#enter('chunkEnd')
      else this.#ended()
    }
    return end
  }

  /** Take lines up to one with which the text ends as `mark` wants; then hand over the text. */
  #until(bytes: Uint8Array, from: number, mark: RegExp, then: (text: string) => void): number {
    let at = from
    while (at < bytes.length) {
      const newline = bytes.indexOf(0x0a, at)
      const end = newline < 0 ? bytes.length : newline + 1
      this.#text += Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('latin1')
      at = end
      if (this.#text.length > HEAD_MAX) {
        this.#enter('lost')
        return bytes.length
      }
      if (newline >= 0 && mark.test(this.#text.slice(-4))) {
        const text = this.#text
        this.#text = ''
        then(text)
        return at
      }
    }
    return at
  }

  #head(text: string): void {
    const lines = text.trimEnd().split(/\r?\n/)
    // RFC 9112 §2.2: empty lines before a request are passed over.
    while (lines[0] === '') lines.shift()
    const [, first, second] = (this.#kind === 'request' ? REQUEST : RESPONSE).exec(lines[0] ?? '') ?? []
    if (lines.length === 0) return
    if (first === undefined || second === undefined) {
      this.#enter('lost')
      return
    }
    const headers = lines.slice(1).flatMap((line): Header[] => {
      const colon = line.indexOf(':')
      return colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()]]
    })
    const follows = this.#events.head({ first, second, headers })
    if (follows === 'other') this.#enter('lost')
    else if (follows === 'none') this.#ended()
    else this.#frame(headers)
  }

  /** RFC 9112 §6.3. */
  #frame(headers: readonly Header[]): void {
    const value = (wanted: string): string | undefined => headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
    const coding = value('transfer-encoding')
    const length = value('content-length')
    if (coding !== undefined) this.#enter(/(^|,)\s*chunked$/i.test(coding) ? 'size' : 'close')
    else if (length !== undefined && !/^\d{1,15}$/.test(length)) this.#enter('lost')
    else if (length === undefined && this.#kind === 'response') this.#enter('close')
    else if (Number(length ?? 0) === 0) this.#ended()
    else {
      this.#left = Number(length)
      this.#enter('length')
    }
  }

  #size(text: string): void {
    const [size] = /^[\da-f]{1,12}(?=[;\s])/i.exec(text) ?? []
    if (size === undefined) {
      this.#enter('lost')
      return
    }
    this.#left = Number.parseInt(size, 16)
    this.#enter(this.#left === 0 ? 'trailer' : 'chunk')
  }

  #ended(): void {
    this.#enter('head')
    this.#events.end()
  }

  #enter(state: State): void {
    this.#state = state
    if (state === 'lost') this.#text = ''
  }
}
