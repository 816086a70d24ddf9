// TCP through the ssh door: `ssh -L` and `-D` from here to the cluster, `ssh -R` from the cluster to the laptop.
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Connection } from 'ssh2'
import { ChannelStream } from '../../lib/ssh/channel-stream.ts'
import { abort, join } from '../../lib/tunnel/join.ts'

/** A target that has not answered by then counts as silent, ms. */
const DIAL_MS = 30_000
/** Connections at a time of one ssh connection, each a descriptor here. */
const MAX_CONNECTIONS = 1_024
/** Ports at a time that one ssh connection may have opened here. */
const MAX_LISTENERS = 32
/** Idle connections are probed after this, ms, so that a vanished peer frees its socket. */
const KEEP_ALIVE_MS = 60_000

const SOCKET = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }

/** `-L`, `-D`: the channel is confirmed when the target has answered; a refusal is one. `below` is the socket of the ssh connection. */
export function forwardThere(client: Connection, below: Socket): void {
  let connections = 0
  client.on('tcpip', (accept, reject, { destIP, destPort }) => {
    if (connections >= MAX_CONNECTIONS) return reject()
    connections += 1
    const socket = connect({ host: destIP, port: destPort, ...SOCKET })
    const timer = setTimeout(() => socket.destroy(), DIAL_MS)
    let answered = false
    socket.on('error', () => {}) // 'close' follows
    socket.once('connect', () => {
      answered = true
      clearTimeout(timer)
      join(socket, new ChannelStream(accept(), below))
    })
    socket.once('close', () => {
      connections -= 1
      clearTimeout(timer)
      below.off('close', gone)
      if (!answered) reject()
    })
    const gone = (): void => abort(socket, new Error('the ssh connection was lost'))
    return below.once('close', gone)
  })
}

/**
 * `-R`: what connects to the port goes to the laptop. Without an address, and with `localhost`, that is the loopback of this pod; `*`, an
 * empty address and one of the pod's own are for the cluster (RFC 4254 §7.1).
 */
export function forwardHere(client: Connection, below: Socket): void {
  const servers = new Map<string, Server>()
  below.once('close', () => servers.forEach(server => void server.close()))
  client.on('request', (accept, reject, name, info) => {
    if (!('bindAddr' in info)) return reject?.()
    const { bindAddr, bindPort } = info
    if (name === 'cancel-tcpip-forward') {
      const key = `${bindAddr} ${bindPort}`
      const server = servers.get(key)
      if (server === undefined) return reject?.()
      servers.delete(key)
      server.close()
      return accept?.()
    }
    if (name !== 'tcpip-forward' || servers.size >= MAX_LISTENERS) return reject?.()
    const server = createServer({ ...SOCKET, pauseOnConnect: true }, socket => {
      offer(client, socket, { address: bindAddr, port: (server.address() as { port: number }).port, below })
    })
    server.maxConnections = MAX_CONNECTIONS
    server.once('error', () => reject?.())
    return server.listen({ port: bindPort, ...hostOf(bindAddr) }, () => {
      const { port } = server.address() as { port: number }
      if (below.destroyed) return void server.close()
      servers.set(`${bindAddr} ${port}`, server)
      return accept?.(port)
    })
  })
}

function hostOf(address: string): { host?: string } {
  if (address === '' || address === '*') return {} // both families
  return { host: address === 'localhost' ? '127.0.0.1' : address }
}

/** Somebody has connected: the client is asked, and refuses what it has not asked for. */
function offer(client: Connection, socket: Socket, to: { address: string; port: number; below: Socket }): void {
  socket.on('error', () => {})
  client.forwardOut(to.address, to.port, socket.remoteAddress ?? '', socket.remotePort ?? 0, (error, channel) => {
    if (error !== undefined || to.below.destroyed) return void socket.resetAndDestroy()
    join(socket, new ChannelStream(channel, to.below))
    return void socket.resume()
  })
}
