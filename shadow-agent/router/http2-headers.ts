// Field lines of HTTP/2 as they came, in the form in which Node sends them.
import type { OutgoingHttpHeaders } from 'node:http2'

/** Names and values in turns → what `request` and `respond` take; lines of one name stay lines, in their order. */
export function outgoing(raw: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {}
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (Array.isArray(before)) before.push(value)
    else headers[name] = [before, value]
  }
  return headers
}
