// What a caller speaks, by the first bytes.

/** RFC 9113 §3.4, as far as it takes to be sure. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
/** Longest first line that is waited for, bytes; beyond it whoever sends it means something else, or is refused. */
const MAX_LINE = 131_072
const VERSION = ' HTTP/'
/** What most callers say, and that much of it. */
const PLAIN = /^[A-Z][A-Z0-9_-]{0,31} [^\r\n]* HTTP\//
const LINE = 512
const START = /^(?:[A-Z][A-Z0-9_-]{0,31}(?: [^\r\n\0]*)?)?$/

export type Protocol = 'http1' | 'http2' | 'other'

/** Undefined: more bytes are needed. `http1` need not be well-formed; `other` cannot be HTTP/1 or 2 in clear text. */
export function sniff(bytes: Buffer): Protocol | undefined {
  if (bytes.length === 0) return undefined
  const length = Math.min(bytes.length, PREFACE.length)
  if (bytes.compare(PREFACE, 0, length, 0, length) === 0) {
    if (length === PREFACE.length) return 'http2'
    return undefined
  }
  if (PLAIN.test(bytes.toString('latin1', 0, LINE))) return 'http1'
  // Empty lines may come before a request (RFC 9112 §2.2); whether they are good ones is not decided here.
  const text = bytes.toString('latin1', 0, MAX_LINE).replace(/^[\r\n]+/, '')
  const [line = ''] = text.split(/[\r\n]/, 1)
  if (/^[A-Z][A-Z0-9_-]{0,31} /.test(line) && line.includes(VERSION)) return 'http1'
  return START.test(text) && bytes.length < MAX_LINE ? undefined : 'other'
}
