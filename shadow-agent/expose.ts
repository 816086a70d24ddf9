// Ports of this pod at which others in the cluster come in: for the laptop, and for the originals when it is not there.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MuxSession } from '../lib/mux/session.ts'
import type { ExposeConfig, ExposePort } from '../lib/tunnel/expose.ts'
import { encodeRequest } from '../lib/tunnel/request.ts'
import { canonical, ownAddresses } from './address.ts'
import { Flows } from './flows.ts'
import { Laptop } from './laptop.ts'
import { offer } from './offer.ts'
import { Originals } from './originals.ts'

/** The laptop is given this long to answer, seconds: it asks a program on its own computer, so this is the way to it. */
const GRACE_SECONDS = 3
/** Connections at a time over all ports: with as many flows, all the streams of a session. */
const MAX_CONNECTIONS = 4_096
/** Connections that the kernel may hold for us, as far as the node allows it (somaxconn). */
const BACKLOG = 4_096
const KEEP_ALIVE_MS = 60_000
const SOCKET_BYTES = 131_072
/** When the pod is removed, the cluster may need this long to stop sending callers here, ms. */
const LINGER_MS = 1_000
/** Callers who are being served may finish within this, ms: less than the pod's grace of 5 s. */
const DRAIN_MS = 4_000
const DRAIN_LOOK_MS = 50

export class Exposure {
  readonly #config: ExposeConfig
  readonly #laptop = new Laptop()
  readonly #originals: Originals
  readonly #servers: Server[] = []
  readonly #udpSockets: UdpSocket[] = []
  readonly #flows: Flows[] = []
  readonly #connections = new Set<Socket>()

  constructor(config: ExposeConfig) {
    this.#config = config
    this.#originals = new Originals(config.originals)
  }

  /** Without a laptop there is still somebody who answers. */
  get servesAlone(): boolean {
    return this.#originals.exist
  }

  /** Listen at every port, at all addresses of the pod. Rejects when one cannot be had. */
  async listen(): Promise<void> {
    await Promise.all(this.#config.ports.map(port => (port.network === 'tcp' ? this.#tcp(port) : this.#udp(port))))
  }

  /** The session has begun or ended. */
  set session(session: MuxSession | undefined) {
    this.#laptop.session = session
    if (session !== undefined) for (const flows of this.#flows) flows.comeBack()
  }

  /** This pod is being removed: new callers go to the originals, those who are here may finish. Resolves when they have, or not in time. */
  async drain(): Promise<void> {
    if (this.#originals.exist) this.#laptop.retire()
    await sleep(LINGER_MS)
    for (const server of this.#servers) server.close()
    const deadline = performance.now() + DRAIN_MS - LINGER_MS
    while (this.#connections.size > 0 && performance.now() < deadline) await sleep(DRAIN_LOOK_MS)
  }

  async #tcp(port: ExposePort): Promise<void> {
    const server = createServer(
      {
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
        highWaterMark: SOCKET_BYTES
      },
      socket => this.#accept(socket, port)
    )
    this.#servers.push(server)
    server.listen({ port: port.port, backlog: BACKLOG }) // `::` with IPv4 in it, or 0.0.0.0 where there is no IPv6
    await once(server, 'listening')
  }

  #accept(socket: Socket, { port, to, original, fallback }: ExposePort): void {
    socket.on('error', () => {})
    if (this.#connections.size >= MAX_CONNECTIONS || socket.remoteAddress === undefined) {
      socket.resetAndDestroy()
      return
    }
    this.#connections.add(socket)
    socket.once('close', () => this.#connections.delete(socket))
    const passOn = (said: readonly Uint8Array[]): void => {
      if (this.#originals.exist) void this.#originals.take(socket, original, said)
      else socket.resetAndDestroy()
    }
    const session = to === 'laptop' ? this.#laptop.session : undefined
    if (session === undefined) {
      passOn([])
      return
    }
    const receivedBytes = session.stats.receivedBytes
    const stream = session.open(
      encodeRequest({
        kind: 'accepted',
        network: 'tcp',
        port,
        source: canonical(socket.remoteAddress),
        sourcePort: socket.remotePort ?? 0,
        destination: canonical(socket.localAddress ?? '::')
      })
    )
    offer(socket, stream, {
      graceMs: this.#graceMs,
      fallback,
      passOn,
      silent: () => this.#laptop.silent(session, receivedBytes)
    })
  }

  async #udp(exposed: ExposePort): Promise<void> {
    const socket = await bindUdp(exposed.port)
    this.#udpSockets.push(socket)
    socket.on('error', () => {}) // for a caller that has gone
    this.#flows.push(
      new Flows({
        exposed,
        socket,
        destination: podAddress,
        laptop: this.#laptop,
        originals: this.#originals,
        graceMs: this.#graceMs
      })
    )
  }

  get #graceMs(): number {
    return (this.#config.graceSeconds ?? GRACE_SECONDS) * 1_000
  }
}

/** Both families, or IPv4 where there is no IPv6. */
async function bindUdp(port: number): Promise<UdpSocket> {
  try {
    return await bound('udp6', port)
  } catch (error) {
    if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return await bound('udp4', port)
  }
}

async function bound(type: 'udp4' | 'udp6', port: number): Promise<UdpSocket> {
  const socket = createSocket(type)
  socket.bind(port)
  await once(socket, 'listening')
  return socket
}

function podAddress(family: 4 | 6): string {
  const found = [...ownAddresses()].find(address => address.includes(':') === (family === 6))
  return found ?? (family === 6 ? '::' : '0.0.0.0')
}
