// RFC 9112 §2–§5: the head of a message, strictly. What is accepted here means the same to every server behind.
import { splitTarget } from './match.ts'

/** Longest head of a message, bytes: twice what the largest servers take. */
export const MAX_HEAD = 131_072
const CR = 13
const LF = 10

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])\r\n/
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/
/** One field line; no folding (§5.2), no space before the colon (§5.1), no control characters but tab. */
const FIELD_LINE = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)\r\n/y

/** Field lines as they came: name in lower case, value without the space around it, in turns. */
export type FieldLines = readonly string[]

/** Where the head that begins at 0 ends: an index past its empty line, -1 when more is needed, or that it never will. */
export function endOfHead(bytes: Buffer): number | 'malformed' {
  const end = bytes.indexOf('\r\n\r\n', 0, 'latin1')
  if (end >= 0) return end + 4 <= MAX_HEAD ? end + 4 : 'malformed'
  if (bytes.length >= MAX_HEAD) return 'malformed'
  return hasBareLineFeed(bytes) ? 'malformed' : -1
}

/** §2.2: a line feed that ends a line alone. Recipients differ in what they make of it. */
export function hasBareLineFeed(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) if (bytes[at - 1] !== CR) return true
  return false
}

/** Values of all lines of a field; `name` in lower case. */
export function valuesOf(fields: FieldLines, name: string): string[] {
  const found: string[] = []
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) found.push(fields[i + 1]!)
  return found
}

/** Members of a list-valued field (RFC 9110 §5.6.1), in lower case. */
export function listOf(fields: FieldLines, name: string): string[] {
  return valuesOf(fields, name)
    .flatMap(value => value.split(','))
    .map(member => member.trim().toLowerCase())
    .filter(member => member !== '')
}

/** Undefined: a line that is not one. */
function parseFields(text: string, start: number): string[] | undefined {
  const fields: string[] = []
  FIELD_LINE.lastIndex = start
  while (FIELD_LINE.lastIndex < text.length - 2) {
    const line = FIELD_LINE.exec(text)
    if (line === null) return undefined
    fields.push(line[1]!.toLowerCase(), line[2]!.trim())
  }
  return fields
}

export class RequestHead {
  readonly method: string
  readonly target: string
  /** HTTP/1.`minor`. */
  readonly minor: number
  readonly fields: FieldLines
  readonly #split: { path: string; query: string }

  private constructor([, method, target, minor]: string[], fields: FieldLines) {
    this.method = method!
    this.target = target!
    this.minor = Number(minor)
    this.fields = fields
    this.#split = splitTarget(this.target)
  }

  /** `bytes` end with the empty line. Undefined: not a request as RFC 9112 wants it. */
  static parse(bytes: Buffer): RequestHead | undefined {
    const text = bytes.toString('latin1')
    const line = REQUEST_LINE.exec(text)
    const fields = line === null ? undefined : parseFields(text, line[0].length)
    if (line === null || fields === undefined) return undefined
    const head = new RequestHead(line, fields)
    // §3.2: one Host, which only HTTP/1.0 may leave out.
    const hosts = head.field('host').length
    return hosts === 1 || (hosts === 0 && head.minor === 0) ? head : undefined
  }

  get path(): string {
    return this.#split.path
  }

  get query(): string {
    return this.#split.query
  }

  field(name: string): string[] {
    return valuesOf(this.fields, name)
  }
}

export interface ResponseHead {
  status: number
  minor: number
  fields: FieldLines
}

/** `bytes` end with the empty line. Undefined: nothing that can be understood. */
export function parseResponseHead(bytes: Buffer): ResponseHead | undefined {
  const text = bytes.toString('latin1')
  const line = STATUS_LINE.exec(text)
  const fields = line === null ? undefined : parseFields(text, line[0].length)
  return line === null || fields === undefined ? undefined : { minor: Number(line[1]), status: Number(line[2]), fields }
}

/** The same head without the field lines of `names` (lower case) and with `added`, each `name: value`, behind the others. */
export function rewriteHead(bytes: Buffer, names: ReadonlySet<string>, added: readonly string[] = []): Buffer {
  const [first, ...lines] = bytes.toString('latin1', 0, bytes.length - 4).split('\r\n')
  const kept = lines.filter(line => !names.has(line.slice(0, line.indexOf(':')).toLowerCase()))
  return Buffer.from([first, ...kept, ...added, '', ''].join('\r\n'), 'latin1')
}
