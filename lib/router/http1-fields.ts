// RFC 9110 §5: the field lines of a head, found where they stand; text is made only of what is asked for.

/** §5.6.2, and §5.5 without control characters: what a byte may be part of. */
const TOKEN = 1
const TEXT = 2
const KIND = new Uint8Array(256)
for (let byte = 0x20; byte < 256; byte++) if (byte !== 0x7f) KIND[byte] = TEXT
KIND[0x09] = TEXT
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
  KIND[byte] = TOKEN | TEXT
}
/** ASCII letters in lower case. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte))
const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const COLON = 58
/** Begin, colon and end of each line. */
const STEP = 3
const NONE: readonly string[] = []

/** RFC 9110 §5.6.2. */
export function isTokenByte(byte: number): boolean {
  return (KIND[byte]! & TOKEN) !== 0
}

/** RFC 9110 §5.5: visible, space, tab, or beyond ASCII. */
export function isTextByte(byte: number): boolean {
  return KIND[byte] !== 0
}

/** The field lines of a head; to be asked only as long as its bytes are what they were. */
export class Fields {
  readonly #bytes: Buffer
  readonly #lines: readonly number[]

  private constructor(bytes: Buffer, lines: readonly number[]) {
    this.#bytes = bytes
    this.#lines = lines
  }

  /**
   * Those from `start` to the empty line that ends at `end`. Undefined: a line that is none; no folding (RFC 9112 §5.2), no space
   * before the colon (§5.1), no control characters but tab.
   */
  static parse(bytes: Buffer, start: number, end: number): Fields | undefined {
    const lines: number[] = []
    let at = start
    while (at < end - 2) {
      const begin = at
      while ((KIND[bytes[at]!]! & TOKEN) !== 0) at += 1
      const colon = at
      if (colon === begin || bytes[colon] !== COLON) return undefined
      do at += 1
      while (KIND[bytes[at]!] !== 0)
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return undefined
      lines.push(begin, colon, at)
      at += 2
    }
    return new Fields(bytes, lines)
  }

  /** Values of all lines of a field, without the space around them; `name` in lower case. */
  values(name: string): readonly string[] {
    let found: string[] | undefined
    for (let i = 0; i < this.#lines.length; i += STEP) {
      if (!this.#is(i, name)) continue
      if (found === undefined) found = [this.#value(i)]
      else found.push(this.#value(i))
    }
    return found ?? NONE
  }

  /** Members of a list-valued field (RFC 9110 §5.6.1), in lower case. */
  list(name: string): readonly string[] {
    const values = this.values(name)
    const [only = ''] = values
    if (values.length === 1 && only !== '' && !only.includes(',')) return [only.toLowerCase()]
    return values
      .flatMap(value => value.split(','))
      .map(member => member.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase())
      .filter(member => member !== '')
  }

  #is(line: number, name: string): boolean {
    const begin = this.#lines[line]!
    const { length } = name
    if (this.#lines[line + 1]! - begin !== length) return false
    for (let i = 0; i < length; i++) if (LOWER[this.#bytes[begin + i]!] !== name.charCodeAt(i)) return false
    return true
  }

  #value(line: number): string {
    const bytes = this.#bytes
    let from = this.#lines[line + 1]! + 1
    let to = this.#lines[line + 2]!
    while (from < to && isSpace(bytes[from]!)) from += 1
    while (to > from && isSpace(bytes[to - 1]!)) to -= 1
    return bytes.toString('latin1', from, to)
  }
}

/** RFC 9110 §5.6.3. */
function isSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB
}
