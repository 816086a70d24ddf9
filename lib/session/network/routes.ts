// Which addresses go into the TUN, kept true while the session runs: planned ranges, and addresses learnt from answers.
import { type Interval, overlap, parseRange, subtract } from '../../host/intervals.ts'
import { covers, overlapNotes, type PlanInput, planRoutes, type Route, type RoutePlan } from '../../host/plan.ts'
import type { LocalNetworks } from '../../host/routes-linux.ts'
import { isKtDevice } from '../../host/slots.ts'
import { VirtualRanges } from '../../host/virtual.ts'
import type { Ranges } from '../../kube/network/ranges.ts'
import { platform } from '../platform.ts'
import type { Report } from '../report.ts'

export interface RouteOptions {
  /** Addresses and ranges that stay outside of the TUN. */
  excludeIps: string[]
  /** Further addresses and ranges to route. */
  includeIps: string[]
  /** Leave pod addresses to the laptop's own network. */
  disablePodIp: boolean
}

export interface LaptopRouteOptions extends RouteOptions {
  /** Route also what the laptop's own network or another session has. */
  allowConflict: boolean
}

export interface LaptopSide {
  device: string
  /** Who answers other names. */
  upstreams: readonly string[]
  /** What other sessions need to stay outside. */
  outside: readonly { address: string; reason: string }[]
}

/** A question to the planner, and what is in the way on the laptop. */
export interface RouteInput extends PlanInput {
  /** Routes of other sessions. */
  sessions: readonly { cidr: string; device: string }[]
  /** Ranges where no virtual one can be. */
  taken: readonly string[]
}

/** What the cluster has, what the laptop has and what the user wants, as one question. */
export async function planInput(
  { excludeIps, includeIps, disablePodIp, allowConflict }: LaptopRouteOptions,
  { ranges, never }: Ranges,
  { device, upstreams, outside }: LaptopSide
): Promise<RouteInput> {
  const laptop = await platform.localNetworks(device)
  return {
    ranges: ranges.filter(({ kind }) => kind === 'service' || !disablePodIp),
    include: includeIps,
    exclude: excludeIps,
    never: [
      ...never,
      ...outside,
      ...laptop.gateways.map(gateway => ({ address: gateway.address, reason: `the gateway on ${gateway.device}` })),
      ...upstreams.map(address => ({ address, reason: "the laptop's resolver" }))
    ],
    local: allowConflict ? [] : laptop.subnets,
    ...others(laptop, allowConflict)
  }
}

function others(laptop: LocalNetworks, allowConflict: boolean): Pick<RouteInput, 'sessions' | 'taken'> {
  return {
    sessions: allowConflict ? [] : laptop.routes.filter(({ device }) => isKtDevice(device)),
    taken: [...laptop.subnets, ...laptop.routes].map(({ cidr }) => cidr)
  }
}

/** Single addresses learnt from DNS answers; past this the oldest range has to do. */
export const LEARNT_MAX = 1024
/** Why such an address is the cluster's. */
export const LEARNT = 'named in a DNS answer of the cluster'

export interface RoutesOptions {
  device: string
  /** Where virtual ranges come from, one of each family. */
  pools: readonly string[]
  allowConflict: boolean
  report: Report
}

export class Routes {
  readonly #options: RoutesOptions
  readonly #virtual: VirtualRanges
  #input: RouteInput
  /** In the addresses of the cluster. */
  #wanted: readonly Route[] = []
  #plan: RoutePlan
  /** What is routed by the cluster's own addresses stays so. */
  #settled: readonly Interval[] = []
  readonly #learnt = new Set<string>()
  readonly #extra: Route[] = []
  /** One change at a time: `ip` runs in its own process. */
  #queue: Promise<void> = Promise.resolve()

  constructor(options: RoutesOptions, input: RouteInput) {
    this.#options = options
    this.#virtual = new VirtualRanges(options.pools)
    this.#input = input
    this.#plan = this.#lay(input)
  }

  /** As the laptop has them: virtual ranges in place of those that another session has. */
  get plan(): RoutePlan {
    return this.#plan
  }

  /** Between the addresses of the cluster and those that programs here use. */
  get virtual(): Pick<VirtualRanges, 'toVirtual' | 'toReal'> {
    return this.#virtual
  }

  /** Set the planned routes and say each with its reason. */
  async install(): Promise<void> {
    const { device, report, allowConflict } = this.#options
    const clashed = await this.#add(this.#plan.routes).then(
      () => undefined,
      (error: Error) => error
    )
    const now = await platform.localNetworks(device)
    if (!(await this.#giveWay(now)) && clashed !== undefined) throw clashed
    for (const { cidr, reason } of this.#plan.routes) report({ event: 'route', change: 'added', cidr, reason })
    for (const text of [...this.#plan.notes, ...overlapNotes(this.#plan.routes, now.routes, allowConflict)])
      report({ event: 'note', text })
    this.#settle()
  }

  /** Another session may have set its routes since ours were planned. False: none of them has ours. */
  async #giveWay(now: LocalNetworks): Promise<boolean> {
    const { device, allowConflict } = this.#options
    const before = this.#plan.routes
    this.#input = { ...this.#input, ...others(now, allowConflict) }
    this.#plan = this.#lay(this.#input)
    const { routes } = this.#plan
    if (routes.length === before.length && routes.every(({ cidr }, i) => before[i]?.cidr === cidr)) return false
    await platform.removeRoutes(
      device,
      before.map(({ cidr }) => cidr)
    )
    await this.#add(routes)
    return true
  }

  #update(input: RouteInput): Promise<void> {
    return this.#enqueue(async () => {
      this.#input = input
      const before = this.#plan
      const after = this.#lay(input)
      const had = new Set(before.routes.map(r => r.cidr))
      const has = new Set(after.routes.map(r => r.cidr))
      const added = after.routes.filter(r => !had.has(r.cidr))
      const removed = before.routes.filter(r => !has.has(r.cidr))
      const { device, report } = this.#options
      if (added.length > 0) await this.#add(added)
      if (removed.length > 0)
        await platform.removeRoutes(
          device,
          removed.map(r => r.cidr)
        )
      this.#plan = after
      this.#settle()
      for (const r of added) report({ event: 'route', change: 'added', ...r })
      for (const r of removed) report({ event: 'route', change: 'removed', ...r })
    })
  }

  /** Whenever the new question is known: add and remove what differs. */
  follow(input: Promise<RouteInput>): void {
    input
      .then(next => this.#update(next))
      .catch((error: Error) =>
        this.#options.report({ event: 'warning', text: `routes are not up to date: ${error.message}` })
      )
  }

  /** An answer about the cluster named `address`: make sure that it is routed, unless it is excluded. */
  learn(address: string): void {
    if (this.#learnt.has(address) || this.#learnt.size >= LEARNT_MAX || covers(this.#wanted, address)) return
    this.#learnt.add(address)
    const cidr = `${address}/${address.includes(':') ? 128 : 32}`
    this.#extra.push({ cidr, reason: LEARNT })
    if (this.#input.sessions.length > 0) this.#lay(this.#input) // a virtual address is known before the answer leaves
    this.follow(Promise.resolve(this.#input))
  }

  /** Plan, and give virtual ranges to what another session has. */
  #lay(input: RouteInput): RoutePlan {
    const { routes, notes } = planRoutes({ ...input, ranges: [...input.ranges, ...this.#extra] })
    this.#wanted = routes
    const taken = [...input.taken, ...routes.map(({ cidr }) => cidr)]
    const laid: RoutePlan = { routes: [], notes: [...notes] }
    for (const route of routes) {
      const holder = this.#holder(route.cidr, input.sessions)
      if (holder === undefined) {
        laid.routes.push(route)
        continue
      }
      const cidr = this.#virtual.assign(route.cidr, taken)
      const why = holder === '' ? '' : `, which ${holder} has`
      if (cidr === undefined) laid.notes.push(`${route.cidr} is left out: there is no virtual range for it${why}`)
      else laid.routes.push({ cidr, reason: `in place of ${route.cidr}${why} (${route.reason})` })
    }
    return laid
  }

  /** The other session that has a part of the range; empty if it was one before. Undefined: the range is ours as it is. */
  #holder(cidr: string, sessions: RouteInput['sessions']): string | undefined {
    const range = parseRange(cidr)
    if (range === undefined || subtract([range], this.#settled).length === 0) return undefined
    const holder = sessions.find(session => {
      const other = parseRange(session.cidr)
      return other !== undefined && overlap(other, range)
    })
    return holder?.device ?? (this.#virtual.touches(cidr) ? '' : undefined)
  }

  /** What is routed as it is now. */
  #settle(): void {
    const own = this.#wanted.filter(({ cidr }) => !this.#virtual.touches(cidr))
    this.#settled = own.map(({ cidr }) => parseRange(cidr)).filter(range => range !== undefined)
  }

  async #add(routes: readonly Route[]): Promise<void> {
    const { device, allowConflict } = this.#options
    const add = allowConflict ? platform.addRoutesFirst : platform.addRoutes
    await add(
      device,
      routes.map(({ cidr }) => cidr)
    )
  }

  #enqueue(f: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.catch(() => {}).then(f)
    return this.#queue
  }
}
