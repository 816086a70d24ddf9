// A TCP or TLS connection to the API server, straight, through an HTTP or SOCKS5 proxy, or from a jump host. TLS options are taken afresh each time.
import { readFileSync } from 'node:fs'
import { connect, isIP, type OnReadOpts, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls'
import { SocksClient } from 'socks'
import { KtError } from '../../errors.ts'
import type { JumpHost, JumpStream } from '../../ssh/jump.ts'
import { unreachable } from './api-error.ts'
import type { Identity } from './credentials.ts'
import type { ClusterConfig } from './kubeconfig.ts'
import { readByTurns } from './turns.ts'

/** A connection that has not come about by then will not: TCP, proxy and TLS together. */
const CONNECT_LIMIT_MS = 10_000
/** First probe of a silent connection; with the kernel's ten probes a second apart a dead peer is known after 25 s. */
const KEEP_ALIVE_MS = 15_000
/** A proxy's answer to CONNECT: a status line and a few headers. */
const PROXY_ANSWER_MAX_BYTES = 16 * 1024

/** Where the API server is and how its certificate is judged. */
export interface Target {
  server: URL
  proxy: URL | undefined
  /** Who opens the connections instead of us; `proxy` then is where that is. */
  jump?: JumpHost | undefined
  cluster: ClusterConfig
}

/** What leads to the API server. */
export type Line = Socket | JumpStream

/** Connect as `identity`. The socket is without delay, kept alive and not yet flowing. Throws KT_API_UNREACHABLE with the cause. */
export async function dial(target: Target, identity: Identity, signal?: AbortSignal): Promise<Line> {
  return await connecting(target, signal, async stop => {
    const socket = await connected(target, stop)
    return target.server.protocol === 'https:' ? await secured(socket, target, identity, stop) : socket
  })
}

/**
 * The same for bytes in bulk: chunks are valid during their 'data' event only (`readByTurns`). Through a proxy reads are as ever, because
 * Node takes no buffer for TLS on another socket.
 */
export async function dialBulk(target: Target, identity: Identity, signal?: AbortSignal): Promise<Line> {
  const { server, proxy } = target
  if (proxy !== undefined) return await dial(target, identity, signal)
  const where = { host: hostOf(server), port: portOf(server) }
  return await connecting(target, signal, stop => {
    if (server.protocol !== 'https:')
      return opened(
        readByTurns(onread => connect({ ...where, onread })),
        'connect',
        stop
      )
    const options: ConnectionOptions = { ...secrets(target, identity), ...where }
    // Missing in the types of @types/node.
    const open = (onread: OnReadOpts) => connectTls(Object.assign(options, { onread }))
    return opened(readByTurns(open), 'secureConnect', stop)
  })
}

async function connecting(
  target: Target,
  signal: AbortSignal | undefined,
  connect: (stop: AbortSignal) => Promise<Line>
): Promise<Line> {
  const limit = AbortSignal.timeout(CONNECT_LIMIT_MS)
  const stop = signal === undefined ? limit : AbortSignal.any([signal, limit])
  try {
    const socket = await connect(stop)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    return socket
  } catch (cause) {
    if (cause instanceof KtError) throw cause
    if (signal?.aborted) throw signal.reason
    throw unreachable(
      target.server,
      limit.aborted ? new Error(`no answer within ${CONNECT_LIMIT_MS / 1000} s`, { cause }) : cause,
      target.proxy
    )
  }
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port)
  return { 'https:': 443, 'http:': 80 }[url.protocol] ?? 1080
}

/** TCP as far as the API server, through the proxy if there is one. */
async function connected({ server, proxy, jump }: Target, signal: AbortSignal): Promise<Line> {
  const destination = { host: hostOf(server), port: portOf(server) }
  if (jump !== undefined) return await jump.open(destination.host, destination.port, signal)
  if (proxy === undefined) return await tcp(destination.host, destination.port, signal)
  const socket = await tcp(hostOf(proxy), portOf(proxy), signal)
  if (proxy.protocol.startsWith('socks')) return await throughSocks(socket, proxy, destination)
  const line =
    proxy.protocol === 'https:'
      ? await wrapTls(socket, { host: hostOf(proxy), ...serverName(hostOf(proxy)) }, signal)
      : socket
  return await throughConnect(line, proxy, destination, signal)
}

function tcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, noDelay: true })
  return opened(socket, 'connect', signal)
}

function wrapTls(socket: Duplex, options: ConnectionOptions, signal: AbortSignal): Promise<TLSSocket> {
  return opened(connectTls({ ...options, socket }), 'secureConnect', signal)
}

function secured(socket: Duplex, target: Target, identity: Identity, signal: AbortSignal): Promise<TLSSocket> {
  return wrapTls(socket, secrets(target, identity), signal)
}

/** How the server is recognised, and we. No ALPN is offered, so that it speaks HTTP/1.1, which upgrades need. */
function secrets({ server, cluster }: Target, identity: Identity): ConnectionOptions {
  const authority = certificateAuthority(cluster)
  const host = hostOf(server)
  const name = cluster['tls-server-name'] || host
  const options: ConnectionOptions = { host, ...serverName(name) }
  // Without a name in the handshake it would be the address that is compared.
  if (isIP(name)) options.checkServerIdentity = (_host, certificate) => checkServerIdentity(name, certificate)
  if (authority !== undefined) options.ca = authority
  if (identity.certificate !== undefined) options.cert = identity.certificate
  if (identity.key !== undefined) options.key = identity.key
  if (cluster['insecure-skip-tls-verify'] === true) options.rejectUnauthorized = false
  return options
}

/** An address is no name for SNI (RFC 6066 §3). */
function serverName(host: string): { servername?: string } {
  return isIP(host) ? {} : { servername: host }
}

function certificateAuthority(cluster: ClusterConfig): Buffer | undefined {
  const data = cluster['certificate-authority-data']
  if (data) return Buffer.from(data, 'base64')
  const file = cluster['certificate-authority']
  if (!file) return undefined
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new KtError('KT_KUBECONFIG', `cannot read the certificate-authority ${file}`, { cause })
  }
}

/** Resolves at `event`; destroys the socket when it fails first or `signal` fires. */
function opened<T extends Socket>(socket: T, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<T> {
  return new Promise((done, fail) => {
    const settle = (result: () => void) => {
      socket.off(event, onOpen).off('error', onError).off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      result()
    }
    const onOpen = () => settle(() => done(socket))
    const onError = (error: Error) =>
      settle(() => {
        socket.on('error', () => {}) // a second one must not end the process
        socket.destroy()
        fail(error)
      })
    const onClose = () => onError(new Error('the connection was closed before it was up'))
    const onAbort = () => onError(signal.reason as Error)
    if (signal.aborted) onAbort()
    else {
      socket.once(event, onOpen).once('error', onError).once('close', onClose)
      signal.addEventListener('abort', onAbort, { once: true })
    }
  })
}

async function throughSocks(socket: Socket, proxy: URL, destination: { host: string; port: number }): Promise<Socket> {
  // The host's name goes to the proxy unresolved (both socks5 and socks5h in Go).
  const login =
    proxy.username === ''
      ? {}
      : { userId: decodeURIComponent(proxy.username), password: decodeURIComponent(proxy.password) }
  try {
    const { socket: line } = await SocksClient.createConnection({
      command: 'connect',
      destination,
      existing_socket: socket,
      proxy: { host: hostOf(proxy), port: portOf(proxy), type: 5, ...login },
      timeout: CONNECT_LIMIT_MS
    })
    return line
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** RFC 9110 §9.3.6: after a 2xx answer to CONNECT the connection is the tunnel. */
function throughConnect(
  socket: Socket,
  proxy: URL,
  destination: { host: string; port: number },
  signal: AbortSignal
): Promise<Socket> {
  const authority = `${isIP(destination.host) === 6 ? `[${destination.host}]` : destination.host}:${destination.port}`
  const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const authorization = login === ':' ? '' : `Proxy-Authorization: Basic ${Buffer.from(login).toString('base64')}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`)
  return new Promise((done, fail) => {
    let answer = Buffer.alloc(0)
    const settle = (error?: Error) => {
      socket.off('data', onData).off('error', settle).off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      socket.pause()
      if (error === undefined) return done(socket)
      socket.on('error', () => {})
      socket.destroy()
      fail(error)
    }
    const onData = (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk])
      const end = answer.indexOf('\r\n\r\n')
      if (end < 0)
        return answer.length > PROXY_ANSWER_MAX_BYTES ? settle(new Error('the proxy does not speak HTTP')) : undefined
      const status = answer.toString('latin1', 0, answer.indexOf('\r\n'))
      if (!/^HTTP\/1\.[01] 2\d\d\b/.test(status))
        return settle(new Error(`the proxy answers "${status.slice(0, 100)}"`))
      if (answer.length > end + 4) socket.unshift(answer.subarray(end + 4))
      settle()
    }
    const onClose = () => settle(new Error('the proxy closed the connection'))
    const onAbort = () => settle(signal.reason as Error)
    socket.on('data', onData).once('error', settle).once('close', onClose)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
