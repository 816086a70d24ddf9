// An HTTP/1.1 request that turns its connection into a WebSocket (RFC 6455 §4.1) or one of SPDY, or says why it did not.
import { createHash, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { type ApiStatus, readStatus } from './api-error.ts'

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Status line and headers of an answer; Go servers send some hundred bytes. */
const HEAD_MAX_BYTES = 64 * 1024
/** So much of a refusal's body is waited for and read. */
const BODY_MAX_BYTES = 64 * 1024

/** To what the connection is to be turned; Kubernetes names what SPDY is to carry in a header of its own. */
export type UpgradeKind = 'websocket' | 'SPDY/3.1'

export interface UpgradeRequest {
  kind: UpgradeKind
  path: string
  host: string
  /** What it is to carry. */
  protocol: string
  headers: Record<string, string | string[]>
}

/** The socket is what was asked for now (`rest` are the bytes that came behind the answer), or it was refused. */
export type UpgradeAnswer = { accepted: true; protocol: string; rest: Buffer } | { accepted: false; status: ApiStatus }

/** Ask for the upgrade. Rejects when the connection fails or `signal` fires; the socket is then the caller's to destroy. */
export function upgrade(socket: Duplex, request: UpgradeRequest, signal: AbortSignal): Promise<UpgradeAnswer> {
  const key = randomBytes(16).toString('base64')
  socket.write(requestText(request, key))
  return new Promise((done, fail) => {
    let text = Buffer.alloc(0)
    const settle = (result: () => void) => {
      socket.off('data', onData).off('error', onError).off('end', onEnd).off('close', onEnd)
      signal.removeEventListener('abort', onAbort)
      socket.pause()
      result()
    }
    const onError = (error: Error) => settle(() => fail(error))
    const onAbort = () => onError(signal.reason as Error)
    const onEnd = () => conclude(true)
    const onData = (chunk: Buffer) => {
      text = Buffer.concat([text, chunk])
      conclude(false)
    }
    const conclude = (ended: boolean) => {
      let answer: UpgradeAnswer | undefined
      try {
        answer = readAnswer(text, ended, request.kind, key)
      } catch (error) {
        return onError(error as Error)
      }
      if (answer !== undefined) settle(() => done(answer))
      else if (ended) onError(new Error('the connection was closed before the answer'))
    }
    socket.on('data', onData).on('error', onError).on('end', onEnd).on('close', onEnd)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

function requestText({ kind, path, host, protocol, headers }: UpgradeRequest, key: string): string {
  const webSocket = ['Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`, `Sec-WebSocket-Protocol: ${protocol}`]
  const lines = [
    `${kind === 'websocket' ? 'GET' : 'POST'} ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    `Upgrade: ${kind}`,
    ...(kind === 'websocket' ? webSocket : [`X-Stream-Protocol-Version: ${protocol}`, 'Content-Length: 0']),
    'User-Agent: kt'
  ]
  for (const [name, value] of Object.entries(headers))
    for (const line of [value].flat()) lines.push(`${name}: ${line.replace(/[\r\n]/g, '')}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Undefined while more bytes are needed. Throws for what is not an answer to our request. */
function readAnswer(text: Buffer, ended: boolean, kind: UpgradeKind, key: string): UpgradeAnswer | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) {
    if (text.length > HEAD_MAX_BYTES) throw new Error('the server does not speak HTTP')
    return undefined
  }
  const [statusLine = '', ...lines] = text.toString('latin1', 0, headEnd).split('\r\n')
  const code = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1])
  if (Number.isNaN(code)) throw new Error('the server does not speak HTTP')
  const headers = new Map(
    lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])
  )
  const body = text.subarray(headEnd + 4)
  if (code === 101) {
    if (headers.get('upgrade')?.toLowerCase() !== kind.toLowerCase())
      throw new Error('the server answers another request')
    if (kind === 'SPDY/3.1')
      return { accepted: true, protocol: headers.get('x-stream-protocol-version') ?? '', rest: body }
    const expected = createHash('sha1')
      .update(key + GUID)
      .digest('base64')
    if (headers.get('sec-websocket-accept') !== expected)
      throw new Error('the server answers another WebSocket request')
    return { accepted: true, protocol: headers.get('sec-websocket-protocol') ?? '', rest: body }
  }
  const whole = readBody(body, headers, ended || body.length > BODY_MAX_BYTES)
  return whole === undefined ? undefined : { accepted: false, status: readStatus(code, whole) }
}

function readBody(body: Buffer, headers: Map<string, string>, ended: boolean): string | undefined {
  if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked') {
    // One chunk size line before each chunk; RFC 9112 §7.1. A Status has one or two chunks.
    if (!ended && !body.includes('0\r\n\r\n')) return undefined
    return dechunk(body)
  }
  const length = Number(headers.get('content-length') ?? Number.NaN)
  if (body.length >= length) return body.toString('utf8', 0, length)
  return ended ? body.toString('utf8') : undefined
}

function dechunk(body: Buffer): string {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf('\r\n', at)
    const size = lineEnd < 0 ? 0 : Number.parseInt(body.toString('latin1', at, lineEnd), 16)
    if (!(size > 0)) return Buffer.concat(parts).toString('utf8')
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
