// Where a request goes, and how one gets there.
import type { Socket } from 'node:net'
import type { Route, RouterPort } from '../../lib/router/config.ts'
import { type RequestView, RouteTable } from '../../lib/router/match.ts'
import type { RouteCounters, RouterStatus } from '../../lib/router/status.ts'
import { dialPod, type Originals } from '../originals.ts'

/** A pod that could not be reached is not tried for so long, ms: its callers would all wait for the same nothing. */
const UNREACHABLE_MS = 1_000

/** The pod of a route, for one port of the router. */
export interface Way {
  host: string
  port: number
  /** Tells connections apart. */
  key: string
  counters: RouteCounters
}

/** Who gets a request; `to` undefined: the originals. */
export interface Choice {
  to: Way | undefined
  copyTo: Way | undefined
}

const ORIGINALS: Choice = { to: undefined, copyTo: undefined }

export class Ways {
  readonly originals: Originals
  readonly #counters: RouterStatus
  #table = new RouteTable([])
  readonly #unreachable = new Map<string, number>()

  /** `counters.routes` is filled and kept by this. */
  constructor(originals: Originals, counters: RouterStatus) {
    this.originals = originals
    this.#counters = counters
  }

  /** These are the routes from now on. */
  set routes(routes: readonly Route[]) {
    this.#table = new RouteTable(routes)
    const before = new Map(this.#counters.routes.map(counters => [counters.name, counters]))
    this.#counters.routes = routes.map(
      ({ name }) => before.get(name) ?? { name, requests: 0, passedOn: 0, copies: 0, dropped: 0 }
    )
    this.#unreachable.clear()
  }

  choose({ port }: RouterPort, request: RequestView): Choice {
    const route = this.#table.find(port, request)
    if (route === undefined) return ORIGINALS
    const to = route.to.ports[port]!
    const way: Way = {
      host: route.to.host,
      port: to,
      key: `${route.to.host} ${to}`,
      counters: this.#counters.routes.find(({ name }) => name === route.name)!
    }
    return route.mirror ? { to: undefined, copyTo: way } : { to: way, copyTo: undefined }
  }

  /** A connection, or undefined; given up when the caller goes, if there is one. Never rejects. */
  async dial({ host, port, key }: Way, caller: Socket | undefined): Promise<Socket | undefined> {
    if (performance.now() - (this.#unreachable.get(key) ?? Number.NEGATIVE_INFINITY) < UNREACHABLE_MS) return undefined
    const socket = await dialPod(caller, host, port)
    if (socket === undefined && caller?.destroyed !== true) this.#unreachable.set(key, performance.now())
    return socket
  }

  async dialOriginal({ original }: RouterPort, caller: Socket): Promise<Socket | undefined> {
    const socket = await this.originals.dial(caller, original)
    if (socket === undefined && !caller.destroyed) this.#counters.originals.failed += 1
    return socket
  }

  /** A request is about to be given to `way`, or to the originals. */
  count(way: Way | undefined): void {
    if (way === undefined) this.#counters.originals.requests += 1
    else way.counters.requests += 1
  }
}
