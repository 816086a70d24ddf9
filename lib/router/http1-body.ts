// RFC 9112 §6–§7: where the body of a message ends. Bytes are looked at, never changed.
import { type Fields, isTextByte, isTokenByte } from './http1-fields.ts'
import type { RequestHead, ResponseHead } from './http1-head.ts'

/** Longest line of a chunk's size with its extensions, bytes; extensions have no use, only costs (RFC 9112 §7.1.1). */
const MAX_SIZE_LINE = 4_096
/** Trailers of one message, bytes. */
const MAX_TRAILERS = 65_536
/** Hexadecimal digits of a chunk's size: more could not be counted exactly. */
const MAX_DIGITS = 13

/** How the end of a body is found: a number of bytes, its chunks, or the end of the connection. */
export type Framing = number | 'chunked' | 'close'

/** §6.3 for a request; undefined: two readers could differ about it. */
export function requestFraming({ fields, minor }: RequestHead): Framing | undefined {
  const lengths = fields.values('content-length')
  if (fields.values('transfer-encoding').length > 0) {
    const codings = fields.list('transfer-encoding')
    const plain = codings.slice(0, -1).every(coding => coding !== 'chunked')
    return lengths.length === 0 && minor === 1 && plain && codings.at(-1) === 'chunked' ? 'chunked' : undefined
  }
  return lengths.length === 0 ? 0 : contentLength(lengths)
}

/** One value of digits only. */
function contentLength(lengths: readonly string[]): number | undefined {
  const [value = ''] = lengths
  const length = lengths.length === 1 && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  return Number.isSafeInteger(length) ? length : undefined
}

/** §6.3 for a final response to `method`. What makes no sense ends with the connection, as its sender would have to end it. */
export function responseFraming({ fields, status }: ResponseHead, method: string): Framing {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 0
  const codings = fields.list('transfer-encoding')
  if (codings.length > 0) return codings.at(-1) === 'chunked' ? 'chunked' : 'close'
  const lengths = fields.values('content-length')
  return lengths.length === 0
    ? 'close'
    : (contentLength(lengths.length === 1 ? lengths : [...new Set(lengths)]) ?? 'close')
}

/** Whether the sender means to go on with the connection after this message (§9.3). */
export function persists({ fields, minor }: { fields: Fields; minor: number }): boolean {
  const options = fields.list('connection')
  return !options.includes('close') && (minor === 1 || options.includes('keep-alive'))
}

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done'

/** Follows a body through whatever pieces it comes in. */
export class BodyReader {
  #state: State
  /** Bytes of data that are still to come; while the size is read, the size. */
  #left: number
  readonly #framing: Framing
  #digits = 0
  #lineLength = 0
  #trailerLength = 0
  #trailer: 'start' | 'name' | 'value' | 'lf' | 'last-lf' = 'start'

  constructor(framing: Framing) {
    this.#framing = framing
    this.#left = typeof framing === 'number' ? framing : 0
    this.#state = framing === 0 ? 'done' : framing === 'chunked' ? 'size' : 'data'
  }

  get done(): boolean {
    return this.#state === 'done'
  }

  /** The index in `bytes` past what belongs to the body, from `start` on; undefined: it is malformed. */
  read(bytes: Uint8Array, start: number): number | undefined {
    if (this.#framing === 'close') return bytes.length
    let at = start
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state !== 'data') {
        if (!this.#step(bytes[at++]!)) return undefined
        continue
      }
      const taken = Math.min(this.#left, bytes.length - at)
      at += taken
      this.#left -= taken
      if (this.#left === 0) this.#state = this.#framing === 'chunked' ? 'data-cr' : 'done'
    }
    return at
  }

  #step(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        return this.#size(byte)
      case 'extension':
        this.#lineLength += 1
        if (byte === CR) this.#state = 'size-lf'
        return byte === CR || (isTextByte(byte) && this.#lineLength <= MAX_SIZE_LINE)
      case 'size-lf':
        this.#state = this.#left === 0 ? 'trailer' : 'data'
        return byte === LF
      case 'data-cr':
        this.#state = 'data-lf'
        return byte === CR
      case 'data-lf':
        this.#state = 'size'
        this.#left = this.#digits = 0
        return byte === LF
      default:
        return this.#trailerByte(byte)
    }
  }

  #size(byte: number): boolean {
    const digit = hexadecimal(byte)
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit
      this.#digits += 1
      return this.#digits <= MAX_DIGITS
    }
    this.#lineLength = 0
    this.#state = byte === CR ? 'size-lf' : 'extension'
    return this.#digits > 0 && (byte === CR || byte === SEMICOLON)
  }

  /** §7.1.2: field lines and an empty one. */
  #trailerByte(byte: number): boolean {
    this.#trailerLength += 1
    if (this.#trailerLength > MAX_TRAILERS) return false
    switch (this.#trailer) {
      case 'start':
        this.#trailer = byte === CR ? 'last-lf' : 'name'
        return byte === CR || isTokenByte(byte)
      case 'name':
        if (byte === COLON) this.#trailer = 'value'
        return byte === COLON || isTokenByte(byte)
      case 'value':
        if (byte === CR) this.#trailer = 'lf'
        return byte === CR || isTextByte(byte)
      case 'lf':
        this.#trailer = 'start'
        return byte === LF
      default:
        this.#state = 'done'
        return byte === LF
    }
  }
}

const CR = 13
const LF = 10
const COLON = 58
const SEMICOLON = 59

function hexadecimal(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const letter = byte | 0x20
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
