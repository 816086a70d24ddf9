// An HTTP proxy (RFC 9110 §3.7): CONNECT, requests in absolute form, and the file that tells a browser when to come here.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Duplex, pipeline } from 'node:stream'
import { createServer, request } from '../http.ts'
import { join } from '../tunnel/join.ts'
import type { TunnelReason } from '../tunnel/tunnel.ts'
import { type Dialer, tunnelError } from './dialer.ts'
import { DialingAgent } from './http-agent.ts'

export interface HttpProxyOptions {
  dialer: Dialer
  /** The text of `/proxy.pac`, for a browser that has reached us as `host` (`127.0.0.1:2223`). */
  pac(host: string): string
}

/** Cookies of an intranet make long headers, bytes. */
const MAX_HEADER_BYTES = 65_536
const PAC_TYPE = 'application/x-ns-proxy-autoconfig'
/** RFC 9110 §7.6.1: between us and the client; the next connection has its own. */
const HOP_BY_HOP = [
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'upgrade']
]

/** Status and the words of RFC 9209 §2.3 for what became of a dial. */
const FAILURES: Record<TunnelReason, { status: number; error: string }> = {
  refused: { status: 502, error: 'connection_refused' },
  reset: { status: 502, error: 'connection_terminated' },
  unreachable: { status: 502, error: 'destination_ip_unroutable' },
  'not-found': { status: 502, error: 'dns_error' },
  denied: { status: 403, error: 'destination_ip_prohibited' },
  timeout: { status: 504, error: 'connection_timeout' },
  closed: { status: 502, error: 'proxy_internal_error' }
}

/**
 * A server that is given its sockets by 'connection'; `close` it in the end. It adds no Via (RFC 9110 §7.6.3 wants one): servers
 * compress less for proxies, and what is tried through here shall look as it will without.
 */
export function httpProxy({ dialer, pac }: HttpProxyOptions): Server {
  const agent = new DialingAgent(dialer)
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: 0, keepAlive: true }, (q, s) => {
    if (q.url?.startsWith('/')) ownPage(q, s, pac)
    else passOn(q, s, agent)
  })
  server.on('connect', (q: IncomingMessage, socket: Duplex, head: Buffer) => {
    const target = authorityOf(q.url ?? '')
    if (target === undefined) socket.end(answer(400, 'a host and a port are expected\n'))
    else void tunnel(socket as Socket, { ...target, dialer, first: head, established: CONNECTED })
  })
  // A WebSocket to http://… by a client that does not use CONNECT for it: the request as it is, then bytes.
  server.on('upgrade', (q: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = targetOf(q)
    if (url === undefined) {
      socket.end(answer(400, 'an absolute http:// address is expected\n'))
      return
    }
    const lines = [`${q.method} ${url.pathname}${url.search} HTTP/1.1`, ...upgradeHeaders(q)]
    const first = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head])
    void tunnel(socket as Socket, { host: hostOf(url), port: portOf(url), dialer, first, established: '' })
  })
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end(answer(400, 'this is no HTTP request\n'))
    else socket.destroy()
  })
  server.on('close', () => agent.destroy())
  return server
}

const CONNECTED = 'HTTP/1.1 200 Connection established\r\n\r\n'

interface Tunnelled {
  host: string
  port: number
  dialer: Dialer
  /** For the target, before anything else. */
  first: Uint8Array
  /** For the client, once the target has answered. */
  established: string
}

async function tunnel(socket: Socket, { host, port, dialer, first, established }: Tunnelled): Promise<void> {
  const gone = new AbortController()
  const abandon = (): void => gone.abort()
  socket.on('error', () => {})
  socket.once('close', abandon)
  try {
    const far = await dialer.dial(host, port, gone.signal)
    if (established !== '') socket.write(established)
    if (first.length > 0) far.write(first)
    join(socket, far)
  } catch (error) {
    const { reason, message } = tunnelError(error, host)
    socket.end(answer(FAILURES[reason].status, `${message}\n`, proxyStatus(reason)))
    socket.resume() // until the client has seen it
  } finally {
    socket.off('close', abandon)
  }
}

/** RFC 9112 §3.2.2: the request goes on in origin form, on a connection that is kept for the next one. */
function passOn(q: IncomingMessage, s: ServerResponse, agent: DialingAgent): void {
  const url = targetOf(q)
  if (url === undefined) {
    s.writeHead(400, { 'content-type': 'text/plain' }).end('an absolute http:// address is expected\n')
    return
  }
  const far = request({
    agent,
    host: hostOf(url),
    port: portOf(url),
    method: q.method ?? 'GET',
    path: `${url.pathname}${url.search}`,
    // A body of unknown length stays chunked; RFC 9112 §3.2.2: the address counts, not the Host beside it.
    headers: ['Host', url.host, ...endToEnd(q, ['host'])],
    setHost: false
  })
  far.on('response', response => {
    // Whether its body is chunked on our connection, Node decides by the version of the client.
    s.writeHead(response.statusCode ?? 502, response.statusMessage, endToEnd(response, ['transfer-encoding']))
    pipeline(response, s, () => {})
  })
  far.on('error', error => {
    if (s.headersSent) {
      s.destroy()
      return
    }
    const { reason, message } = tunnelError(error, url.host)
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'proxy-status': proxyStatus(reason) }
    s.writeHead(FAILURES[reason].status, headers).end(`${message}\n`)
  })
  s.on('close', () => {
    if (!s.writableFinished) far.destroy()
  })
  q.pipe(far)
}

/** A page of our own: only under an address of this computer, so that no web site can read it by a name of its own. */
function ownPage(q: IncomingMessage, s: ServerResponse, pac: HttpProxyOptions['pac']): void {
  const host = q.headers.host ?? ''
  const isOurs = /^(localhost|[\d.]+|\[[\da-f:]+\])(:\d+)?$/i.test(host)
  if (isOurs && q.method === 'GET' && q.url === '/proxy.pac')
    s.writeHead(200, { 'content-type': PAC_TYPE }).end(pac(host))
  else s.writeHead(404, { 'content-type': 'text/plain' }).end('This is a proxy; a browser is told so by /proxy.pac\n')
}

/** The headers that are not between two hops, nor in `without`, in their spelling and order. */
function endToEnd({ rawHeaders, headers }: IncomingMessage, without: readonly string[]): string[] {
  const named = (headers.connection ?? '').split(',').map(name => name.trim().toLowerCase())
  const left = new Set([...HOP_BY_HOP, ...without, ...named])
  const kept: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (!left.has(rawHeaders[i]!.toLowerCase())) kept.push(rawHeaders[i]!, rawHeaders[i + 1]!)
  return kept
}

function upgradeHeaders({ rawHeaders }: IncomingMessage): string[] {
  const lines: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (!rawHeaders[i]!.toLowerCase().startsWith('proxy-')) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  return lines
}

function targetOf({ url }: IncomingMessage): URL | undefined {
  const parsed = URL.parse(url ?? '')
  return parsed?.protocol === 'http:' ? parsed : undefined
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '')
const portOf = ({ port }: URL): number => (port === '' ? 80 : Number(port))

/** `host:port`, `[address]:port`: RFC 9110 §9.3.6. */
function authorityOf(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([\da-f:.]+)\]|([^:\s]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host === undefined || port < 1 || port > 0xffff ? undefined : { host, port }
}

function proxyStatus(reason: TunnelReason): string {
  return `kt; error=${FAILURES[reason].error}`
}

const PHRASES: Record<number, string> = {
  400: 'Bad Request',
  403: 'Forbidden',
  502: 'Bad Gateway',
  504: 'Gateway Timeout'
}

/** A whole answer, after which the connection ends. */
function answer(status: number, text: string, why?: string): string {
  const extra = why === undefined ? '' : `Proxy-Status: ${why}\r\n`
  const body = Buffer.from(text).toString('latin1')
  return `HTTP/1.1 ${status} ${PHRASES[status]}\r\n${extra}Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
}
