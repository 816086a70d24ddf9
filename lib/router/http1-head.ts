// RFC 9112 §2–§5: the head of a message, strictly. What is accepted here means the same to every server behind.
import { Fields } from './http1-fields.ts'
import { splitTarget } from './match.ts'

/** Longest head of a message, bytes: twice what the largest servers take. */
export const MAX_HEAD = 131_072
const CR = 13
const LF = 10

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const END_OF_LINE = Buffer.from('\r\n')
export const END_OF_HEAD: Buffer = Buffer.from('\r\n\r\n')

/** Where the head that begins at 0 ends: an index past its empty line, -1 when more is needed, or that it never will. */
export function endOfHead(bytes: Buffer): number | 'malformed' {
  const end = bytes.indexOf(END_OF_HEAD)
  if (end >= 0) return end + 4 <= MAX_HEAD ? end + 4 : 'malformed'
  if (bytes.length >= MAX_HEAD) return 'malformed'
  return hasBareLineFeed(bytes) ? 'malformed' : -1
}

/** §2.2: a line feed that ends a line alone. Recipients differ in what they make of it. */
export function hasBareLineFeed(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) if (bytes[at - 1] !== CR) return true
  return false
}

export class RequestHead {
  readonly method: string
  readonly target: string
  /** HTTP/1.`minor`. */
  readonly minor: number
  readonly fields: Fields
  #split: { path: string; query: string } | undefined

  private constructor([, method, target, minor]: string[], fields: Fields) {
    this.method = method!
    this.target = target!
    this.minor = Number(minor)
    this.fields = fields
  }

  /** The head that ends at `end` with its empty line. Undefined: not a request as RFC 9112 wants it. Lives as long as `bytes` do. */
  static parse(bytes: Buffer, end = bytes.length): RequestHead | undefined {
    const lineEnd = bytes.indexOf(END_OF_LINE)
    const line = REQUEST_LINE.exec(bytes.toString('latin1', 0, lineEnd))
    const fields = line === null ? undefined : Fields.parse(bytes, lineEnd + 2, end)
    if (line === null || fields === undefined) return undefined
    // §3.2: one Host, which only HTTP/1.0 may leave out.
    const head = new RequestHead(line, fields)
    const hosts = fields.values('host').length
    return hosts === 1 || (hosts === 0 && head.minor === 0) ? head : undefined
  }

  get path(): string {
    this.#split ??= splitTarget(this.target)
    return this.#split.path
  }

  get query(): string {
    this.#split ??= splitTarget(this.target)
    return this.#split.query
  }

  field(name: string): readonly string[] {
    return this.fields.values(name)
  }
}

export interface ResponseHead {
  status: number
  minor: number
  fields: Fields
}

/** The head from `start` to `end`, its empty line included. Undefined: nothing that can be understood. */
export function parseResponseHead(bytes: Buffer, start = 0, end = bytes.length): ResponseHead | undefined {
  const lineEnd = bytes.indexOf(END_OF_LINE, start)
  const line = STATUS_LINE.exec(bytes.toString('latin1', start, lineEnd))
  const fields = line === null ? undefined : Fields.parse(bytes, lineEnd + 2, end)
  return line === null || fields === undefined ? undefined : { minor: Number(line[1]), status: Number(line[2]), fields }
}

/** The same head without the field lines of `names` (lower case) and with `added`, each `name: value`, behind the others. */
export function rewriteHead(bytes: Buffer, names: ReadonlySet<string>, added: readonly string[] = []): Buffer {
  const [first, ...lines] = bytes.toString('latin1', 0, bytes.length - 4).split('\r\n')
  const kept = lines.filter(line => !names.has(line.slice(0, line.indexOf(':')).toLowerCase()))
  return Buffer.from([first, ...kept, ...added, '', ''].join('\r\n'), 'latin1')
}
