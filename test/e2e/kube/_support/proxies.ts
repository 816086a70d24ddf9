// Tiny proxies on loopback between the client and the real API server.
import { createServer as createHttp, type IncomingMessage } from 'node:http'
import { type AgentOptions, request as requestHttps } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ExecutionContext } from 'ava'

export interface Proxy {
  url: string
  /** How many connections went through. */
  count(): number
  /** Cut all that are open, as a failing network does. */
  cut(): void
  /** Let nothing through any more on those that are open, and leave them open. */
  swallow(): void
}

async function listening(t: ExecutionContext, server: Server, scheme: string): Promise<Proxy> {
  const open = new Set<Socket>()
  let count = 0
  server.on('connection', (socket: Socket) => {
    count++
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => {})
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const cut = () => open.forEach(socket => void socket.resetAndDestroy())
  const swallow = () => {
    for (const socket of open) {
      swallowing.add(socket)
      Object.assign(socket.unpipe().resume(), { write: () => true, end: () => socket })
    }
  }
  t.teardown(() => {
    server.close()
    cut()
  })
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => count, cut, swallow }
}

/** Nobody hears of these any more what becomes of the other end. */
const swallowing = new WeakSet<Duplex>()

function joined(a: Duplex, b: Duplex): void {
  const close = (duplex: Duplex) => swallowing.has(duplex) || duplex.destroy()
  a.on('error', () => close(b)).on('close', () => close(b))
  b.on('error', () => close(a)).on('close', () => close(a))
  a.pipe(b).pipe(a)
}

/** HTTP CONNECT, wanting `user:pass` when it is given. */
export function connectProxy(t: ExecutionContext, login = ''): Promise<Proxy> {
  const server = createHttp((_request, response) => response.writeHead(405).end())
  server.on('connect', (request: IncomingMessage, client: Duplex) => {
    const expected = `Basic ${Buffer.from(login).toString('base64')}`
    if (login !== '' && request.headers['proxy-authorization'] !== expected) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
      return
    }
    const { hostname, port } = new URL(`http://${request.url}`)
    const upstream = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      joined(client, upstream)
    })
    upstream.on('error', () => client.destroy())
  })
  return listening(t, server, 'http')
}

/** SOCKS5 without a password, CONNECT to IPv4 addresses and names only (RFC 1928). */
export function socksProxy(t: ExecutionContext): Promise<Proxy> {
  const server = createServer(client => {
    client.once('data', () => {
      client.write(Buffer.of(5, 0))
      client.once('data', (ask: Buffer) => {
        const named = ask[3] === 3
        const host = named ? ask.toString('latin1', 5, 5 + ask[4]!) : ask.subarray(4, 8).join('.')
        const upstream = connect(ask.readUInt16BE(named ? 5 + ask[4]! : 8), host, () => {
          client.write(Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0))
          joined(client, upstream)
        })
        upstream.on('error', () => client.destroy())
      })
    })
  })
  return listening(t, server, 'socks5')
}

/**
 * A reverse proxy without TLS towards the client, as `kubectl proxy` or Rancher, below `prefix`. `rewrite` may change a path; upgrades to
 * protocols that are `refused` it answers with an empty 403.
 */
export function reverseProxy(
  t: ExecutionContext,
  upstream: string,
  tls: AgentOptions,
  prefix: string,
  rewrite = (path: string) => path,
  refused: readonly string[] = []
): Promise<Proxy> {
  const { hostname, port } = new URL(upstream)
  const forward = (request: IncomingMessage) => {
    const path = request.url!.startsWith(`${prefix}/`)
      ? rewrite(request.url!.slice(prefix.length))
      : '/outside-of-the-prefix'
    return requestHttps({
      ...tls,
      hostname,
      port,
      method: request.method,
      path,
      headers: { ...request.headers, host: `${hostname}:${port}` }
    })
  }
  const server = createHttp((request, response) => {
    const onward = forward(request)
    onward.on('response', answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      response.flushHeaders()
      answer.on('error', () => response.destroy()).pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  })
  server.on('upgrade', (request, client, head) => {
    const { 'x-stream-protocol-version': bare, 'sec-websocket-protocol': inWebSocket } = request.headers
    if (refused.includes(String(bare ?? inWebSocket))) {
      client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const onward = forward(request)
    onward.on('error', () => client.destroy())
    onward.on('response', answer => client.end(`HTTP/1.1 ${answer.statusCode} x\r\n\r\n`))
    onward.on('upgrade', (answer, socket, rest) => {
      const headers = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`)
      client.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('')}\r\n`)
      client.write(rest)
      socket.write(head)
      joined(client, socket)
    })
    onward.end()
  })
  return listening(t, server, 'http')
}
