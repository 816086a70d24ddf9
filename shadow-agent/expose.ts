// Ports of this pod at which others in the cluster come in: for the laptop, and for the originals when it is not there.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MuxSession } from '../lib/mux/session.ts'
import type { MuxStream } from '../lib/mux/stream.ts'
import type { ExposeConfig, ExposePort } from '../lib/tunnel/expose.ts'
import { encodeRequest } from '../lib/tunnel/request.ts'
import { canonical, ownAddresses } from './address.ts'
import { Flows } from './flows.ts'
import { Laptop } from './laptop.ts'
import { Listener } from './listener.ts'
import { Offer } from './offer.ts'
import { Originals } from './originals.ts'

/** The laptop is given this long to answer, seconds: it asks a program on its own computer, so this is the way to it. */
const GRACE_SECONDS = 3
/** A laptop that has lost its carrier may be back within this, ms; then those whom it has not answered are given to the originals. */
const ABSENT_MS = 1_000
/** Connections at a time over all ports: with as many flows, all the streams of a session. */
const MAX_CONNECTIONS = 4_096
/**
 * When the pod is removed, the cluster may need this long to stop sending callers here, ms: kube-proxy collects changes for a second, and
 * on a busy node took 1.5 s.
 */
const LINGER_MS = 3_000
/** Callers who are being served may finish within this, ms: less than the pod's grace of 5 s. */
const DRAIN_MS = 4_000
const DRAIN_LOOK_MS = 50

interface TcpDoor {
  port: ExposePort
  listener: Listener
  /** By which the laptop tells whether its program listens. */
  asked?: MuxStream
}

export class Exposure {
  readonly #config: ExposeConfig
  readonly #laptop = new Laptop()
  readonly #originals: Originals
  readonly #doors: TcpDoor[] = []
  readonly #udpSockets: UdpSocket[] = []
  readonly #flows: Flows[] = []
  readonly #connections = new Set<Socket>()
  /** Those whose laptop has not answered yet. */
  readonly #undecided = new Map<Socket, Offer>()
  #absent: NodeJS.Timeout | undefined
  #leaving: boolean = false

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

  /** The session has its carrier, or has lost it or ended. What it had answered waits with it; the rest is for the originals soon. */
  set session(session: MuxSession | undefined) {
    this.#laptop.session = session
    clearTimeout(this.#absent)
    if (session === undefined && this.#originals.exist) this.#absent = setTimeout(() => this.#abandon(), ABSENT_MS)
    if (session !== undefined) for (const flows of this.#flows) flows.comeBack()
    for (const door of this.#doors) this.#follow(session, door)
  }

  /** This pod is being removed: new callers go to the originals, those who are here may finish. Resolves when they have, or not in time. */
  async drain(): Promise<void> {
    this.#leaving = true
    if (this.#originals.exist) {
      this.#laptop.retire()
      for (const { listener } of this.#doors) listener.open = true
    }
    await sleep(LINGER_MS)
    for (const { listener } of this.#doors) listener.open = false
    const deadline = performance.now() + DRAIN_MS - LINGER_MS
    while (this.#connections.size > 0 && performance.now() < deadline) await sleep(DRAIN_LOOK_MS)
  }

  #abandon(): void {
    for (const offer of [...this.#undecided.values()]) offer.abandon()
    for (const flows of this.#flows) flows.abandon()
  }

  async #tcp(port: ExposePort): Promise<void> {
    const door: TcpDoor = { port, listener: new Listener(port.port, socket => this.#accept(socket, port)) }
    await door.listener.listen()
    this.#doors.push(door)
    this.#follow(undefined, door)
  }

  /** A port whose local program does not listen refuses; the laptop tells. spec.md, "Accepted". */
  #follow(session: MuxSession | undefined, door: TcpDoor): void {
    const { listener } = door
    const { port, to, fallback } = door.port
    if (to === 'originals' || this.#leaving) return
    door.asked?.destroy()
    listener.open = session !== undefined || this.#originals.exist
    if (session === undefined || fallback) return
    const stream = session.open(encodeRequest({ kind: 'listening', port }))
    door.asked = stream
    let told = false
    stream.on('data', (bytes: Uint8Array) => {
      const state = bytes.subarray(told ? 0 : 1).at(-1) // the first byte is the verdict
      told = true
      if (state !== undefined && door.asked === stream && !this.#leaving) listener.open = state !== 0
    })
    stream.on('end', () => stream.destroy())
  }

  #accept(socket: Socket, { port, to, original, fallback }: ExposePort): void {
    socket.on('error', () => {})
    if (this.#connections.size >= MAX_CONNECTIONS || socket.remoteAddress === undefined) {
      socket.resetAndDestroy()
      return
    }
    this.#connections.add(socket)
    socket.once('close', () => {
      this.#connections.delete(socket)
      this.#undecided.delete(socket)
    })
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
    const offer = new Offer(socket, stream, {
      graceMs: this.#graceMs,
      fallback,
      passOn,
      silent: () => this.#laptop.silent(session, receivedBytes),
      decided: () => this.#undecided.delete(socket)
    })
    this.#undecided.set(socket, offer)
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
