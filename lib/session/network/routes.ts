// Which addresses go into the TUN, kept true while the session runs: planned ranges, and addresses learnt from answers.
import { covers, overlapNotes, type PlanInput, planRoutes, type Route, type RoutePlan } from '../../host/plan.ts'
import { addRoutes, localNetworks, removeRoutes } from '../../host/routes-linux.ts'
import type { Ranges } from '../../kube/network/ranges.ts'
import type { Report } from '../report.ts'

export interface RouteOptions {
  excludeIps: string[]
  includeIps: string[]
  disablePodIp: boolean
}

/** What the cluster has, what the laptop has and what the user wants, as one question. */
export async function planInput(
  { excludeIps, includeIps, disablePodIp }: RouteOptions,
  { ranges, never }: Ranges,
  laptopSide: { device: string; upstreams: readonly string[] }
): Promise<PlanInput> {
  const laptop = await localNetworks(laptopSide.device)
  return {
    ranges: ranges.filter(({ kind }) => kind === 'service' || !disablePodIp),
    include: includeIps,
    exclude: excludeIps,
    never: [
      ...never,
      ...laptop.gateways.map(gateway => ({ address: gateway.address, reason: `the gateway on ${gateway.device}` })),
      ...laptopSide.upstreams.map(address => ({ address, reason: "the laptop's resolver" }))
    ],
    local: laptop.subnets
  }
}

/** Single addresses learnt from DNS answers; past this the oldest range has to do. */
export const LEARNT_MAX = 1024
/** Why such an address is the cluster's. */
export const LEARNT = 'named in a DNS answer of the cluster'

export class Routes {
  readonly #device: string
  readonly #report: Report
  #input: PlanInput
  #plan: RoutePlan
  readonly #learnt = new Set<string>()
  readonly #extra: Route[] = []
  /** One change at a time: `ip` runs in its own process. */
  #queue: Promise<void> = Promise.resolve()

  constructor(device: string, input: PlanInput, report: Report) {
    this.#device = device
    this.#report = report
    this.#input = input
    this.#plan = planRoutes(input)
  }

  get plan(): RoutePlan {
    return this.#plan
  }

  /** Set the planned routes and say each with its reason. */
  async install(): Promise<void> {
    await addRoutes(
      this.#device,
      this.#plan.routes.map(r => r.cidr)
    )
    for (const { cidr, reason } of this.#plan.routes) this.#report({ event: 'route', change: 'added', cidr, reason })
    const { routes: others } = await localNetworks(this.#device)
    const notes = [...this.#plan.notes, ...overlapNotes(this.#plan.routes, others)]
    for (const text of notes) this.#report({ event: 'note', text })
  }

  #update(input: PlanInput): Promise<void> {
    return this.#enqueue(async () => {
      this.#input = input
      const before = this.#plan
      const after = planRoutes({ ...input, ranges: [...input.ranges, ...this.#extra] })
      const had = new Set(before.routes.map(r => r.cidr))
      const has = new Set(after.routes.map(r => r.cidr))
      const added = after.routes.filter(r => !had.has(r.cidr))
      const removed = before.routes.filter(r => !has.has(r.cidr))
      if (added.length > 0)
        await addRoutes(
          this.#device,
          added.map(r => r.cidr)
        )
      if (removed.length > 0)
        await removeRoutes(
          this.#device,
          removed.map(r => r.cidr)
        )
      this.#plan = after
      for (const r of added) this.#report({ event: 'route', change: 'added', ...r })
      for (const r of removed) this.#report({ event: 'route', change: 'removed', ...r })
    })
  }

  /** Whenever the new question is known: add and remove what differs. */
  follow(input: Promise<PlanInput>): void {
    input
      .then(next => this.#update(next))
      .catch((error: Error) => this.#report({ event: 'warning', text: `routes are not up to date: ${error.message}` }))
  }

  /** An answer about the cluster named `address`: make sure that it is routed, unless it is excluded. */
  learn(address: string): void {
    if (this.#learnt.has(address) || this.#learnt.size >= LEARNT_MAX || covers(this.#plan.routes, address)) return
    this.#learnt.add(address)
    const cidr = `${address}/${address.includes(':') ? 128 : 32}`
    this.#extra.push({ cidr, reason: LEARNT })
    this.follow(Promise.resolve(this.#input))
  }

  #enqueue(f: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.catch(() => {}).then(f)
    return this.#queue
  }
}
