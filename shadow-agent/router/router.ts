// The router: ports of its pod, callers at them, the routes in force.
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RouterConfig, RouterPort } from '../../lib/router/config.ts'
import type { RouterStatus } from '../../lib/router/status.ts'
import { Exposure } from '../expose.ts'
import { Listener } from '../listener.ts'
import { Originals } from '../originals.ts'
import { Http2Callers } from './http2-callers.ts'
import type { Guest, Office } from './office.ts'
import { Reception } from './reception.ts'
import type { Loaded } from './routes-file.ts'
import { Ways } from './ways.ts'

/** Connections at a time, each with one or two to servers. Beyond them the longest idle one makes room. */
const MAX_CALLERS = 8_192
/**
 * When the pod is removed, the cluster may need this long to stop sending callers here, ms. A forced removal leaves no more than
 * this (the kubelet's least grace): by its half every caller should have been asked to go.
 */
const LINGER_MS = 2_000
/** Who is idle then may ask once more within this, ms, and hears that it was the last time. */
const LAST_WORD_MS = 3_000
/** Callers who are being served may finish within this, ms: less than the pod's grace of 30 s. */
const DRAIN_MS = 25_000
const DRAIN_LOOK_MS = 50

export class Router {
  readonly status: RouterStatus
  readonly #config: RouterConfig
  readonly #office: Office
  readonly #listeners: Listener[] = []
  readonly #http2: Http2Callers[] = []
  readonly #callers = new Set<Socket>()
  readonly #guests = new Set<Guest>()
  /** Of the ports that are not TCP; all of it goes to the originals. */
  readonly #datagrams: Exposure | undefined

  /** `version`: kt's. */
  constructor({ config, digest }: Loaded, version: string) {
    this.#config = config
    this.status = {
      version,
      service: config.service,
      loaded: digest,
      problem: '',
      callers: 0,
      malformed: 0,
      originals: { requests: 0, failed: 0 },
      routes: []
    }
    const ways = new Ways(new Originals(config.originals), this.status)
    ways.routes = config.routes
    this.#office = { ways, counters: this.status, leaving: false }
    const datagrams = config.ports.filter(({ network }) => network === 'udp')
    if (datagrams.length > 0) {
      const ports = datagrams.map(port => ({ ...port, to: 'originals' as const, fallback: true }))
      this.#datagrams = new Exposure({ originals: config.originals, ports })
    }
  }

  /** Listen at every port. Rejects when one cannot be had. */
  async listen(): Promise<void> {
    for (const port of this.#config.ports.filter(({ network }) => network === 'tcp')) {
      const http2 = new Http2Callers(port, this.#office)
      this.#http2.push(http2)
      this.#listeners.push(new Listener(port.port, socket => this.#accept(socket, port, http2)))
    }
    await Promise.all([...this.#listeners.map(listener => listener.listen()), this.#datagrams?.listen()])
  }

  /** Another file is in force; what was read once must be as it was. */
  load({ config, digest }: Loaded): void {
    this.#office.ways.routes = config.routes
    this.status.loaded = digest
  }

  /** Why not all of a file can be in force: empty when it can. */
  unchangeable({ service, originals, ports }: RouterConfig): string {
    const { service: was, originals: wereOriginals, ports: werePorts } = this.#config
    if (service !== was) return 'service must stay as it is while the pod lives'
    if (originals !== wereOriginals) return 'originals must stay as they are while the pod lives'
    if (JSON.stringify(ports) !== JSON.stringify(werePorts)) return 'ports must stay as they are while the pod lives'
    return ''
  }

  /** The pod is being removed: callers still come for `lingerMs`. Resolves when everybody has been served, or not in time. */
  async drain(lingerMs = LINGER_MS): Promise<void> {
    this.#office.ways.originals.keep()
    // Who comes back meanwhile is told again; an HTTP/2 caller would give up sooner.
    this.#office.leaving = true
    for (const guest of this.#guests) guest.retire()
    await sleep(lingerMs / 2)
    for (const http2 of this.#http2) http2.retire()
    await sleep(lingerMs / 2)
    for (const listener of this.#listeners) listener.open = false
    const now = performance.now()
    while (this.#callers.size > 0 && performance.now() - now < DRAIN_MS - LINGER_MS) {
      if (performance.now() - now > LAST_WORD_MS) for (const guest of this.#guests) guest.endIfIdle()
      await sleep(DRAIN_LOOK_MS)
    }
  }

  #accept(socket: Socket, port: RouterPort, http2: Http2Callers): void {
    socket.on('error', () => {})
    if (socket.remoteAddress === undefined) {
      socket.destroy()
      return
    }
    if (this.#callers.size >= MAX_CALLERS && !this.#makeRoom()) {
      socket.resetAndDestroy()
      return
    }
    this.#callers.add(socket)
    this.status.callers = this.#callers.size
    let mine: Guest | undefined
    const answersFor = (guest: Guest | undefined): void => {
      if (mine !== undefined) this.#guests.delete(mine)
      if (guest !== undefined) this.#guests.add(guest)
      mine = guest
    }
    answersFor(new Reception(socket, { office: this.#office, port, http2, handedOver: answersFor }))
    socket.once('close', () => {
      this.#callers.delete(socket)
      this.status.callers = this.#callers.size
      answersFor(undefined)
    })
  }

  /** Ask the one who came first of the idle ones to leave. */
  #makeRoom(): boolean {
    for (const guest of this.#guests) if (guest.endIfIdle()) return true
    return false
  }
}
