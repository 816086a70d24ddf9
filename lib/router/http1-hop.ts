// RFC 9110 §7.6.1: what of a request's head is meant for this hop only.
import { type RequestHead, rewriteHead } from './http1-head.ts'

/**
 * Options that may go on: each caller has his own connections to the servers, so what he asks for his connection is what the
 * router asks for that one. `TE` and `Trailer` because chunks and their trailers are passed on as they are.
 */
const OURS: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'http2-settings',
  'te',
  'trailer'
])
/** Nominating one of these would change what the request says (§7.6.1). */
const END_TO_END: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'expect'])

/**
 * The head's bytes, up to `end`, as they go on: mostly `bytes` themselves. Fields that the caller nominates for this hop are taken out, and the offer
 * to go on in HTTP/2 (RFC 7540 §3.2, which RFC 9113 gave up), because then only the first request could be routed; a server that is
 * not offered it answers in HTTP/1.1. Undefined: the head would say something else without them.
 */
export function forwardable(head: RequestHead, bytes: Buffer, end = bytes.length): Buffer | undefined {
  const options = head.fields.list('connection')
  if (options.length === 0) return bytes
  const nominated = options.filter(option => !OURS.has(option))
  if (nominated.some(option => END_TO_END.has(option))) return undefined
  const offersHttp2 = options.includes('upgrade') && head.fields.list('upgrade').every(name => name === 'h2c')
  if (nominated.length === 0 && !offersHttp2) return bytes
  const gone = new Set(['connection', ...nominated, ...(offersHttp2 ? ['upgrade', 'http2-settings'] : [])])
  const left = options.filter(option => !gone.has(option))
  return rewriteHead(bytes.subarray(0, end), gone, left.length === 0 ? [] : [`Connection: ${left.join(', ')}`])
}
