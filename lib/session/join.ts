// The laptop is joined to a cluster whose agent is reached: a device, its stack, names and routes.
import { Resolver } from '../dns/server.ts'
import type { Journal } from '../host/journal.ts'
import { covers } from '../host/plan.ts'
import type { Cluster } from '../kube/api/client.ts'
import { carrierAddresses, type PodFacts, type Ranges, watchRanges } from '../kube/network/ranges.ts'
import type { WatchedNames } from '../kube/network/services.ts'
import type { AgentLink } from './link/link.ts'
import { type LaptopDns, startDns } from './network/dns.ts'
import type { DnsMode } from './network/dns-mode.ts'
import type { Neighbours } from './network/neighbours.ts'
import { Relay } from './network/relay.ts'
import { type LaptopRouteOptions, planInput, type RouteInput, Routes } from './network/routes.ts'
import { startStack } from './network/stack.ts'
import { suggestions } from './network/suggestions.ts'
import { type Running, step } from './run.ts'
import { followNeighbours, openPlace, type Place } from './several.ts'
import type { Parts } from './status.ts'

export interface JoinOptions extends LaptopRouteOptions {
  dnsMode: DnsMode
  /** Longest time that an answer of the cluster's DNS is kept, in seconds; undefined: our own choice. */
  dnsCacheTtl: number | undefined
  /** Further domains whose names the cluster's DNS is asked for. */
  includeDomains: string[]
}

/** What is known of the cluster, and what has been begun. */
export interface Reached {
  cluster: Cluster
  link: AgentLink
  facts: PodFacts
  names: WatchedNames
  ranges: Ranges
  journal: Journal
  neighbours: Neighbours
  parts: Parts
}

export interface Joined {
  /** The device is gone. */
  lost: Promise<Error>
  /** Further lines for the one that says that everything works. */
  banner: string[]
  /** As `suggestions`. */
  suggestions(): string[]
}

/** Everything in it is undone with the life of `running`. Throws KtError. */
export async function joinLaptop(running: Running, options: JoinOptions, reached: Reached): Promise<Joined> {
  const { cluster, link, names, neighbours, parts } = reached
  await neighbours.open()
  const place = await openPlace(running, cluster.contextName)
  const { slot, device } = place
  // Who is not asked for names has none of his own.
  const suffix = options.dnsMode.kind === 'localDNS' ? place.suffix : ''
  const addresses = {
    toVirtual: (address: string): string => parts.routes?.virtual.toVirtual(address) ?? address,
    toReal: (address: string): string => parts.routes?.virtual.toReal(address) ?? address
  }
  const resolver = new Resolver({
    ...{ names, suffix: place.suffix, addresses },
    cluster: message => link.resolve(message),
    isClusterAddress: address => covers(parts.routes?.plan.routes ?? [], address),
    learned: address => parts.routes?.learn(address),
    cacheTtlMaxS: options.dnsCacheTtl,
    includeDomains: options.includeDomains,
    way: [cluster.server, cluster.proxy].flatMap(url => url?.hostname ?? [])
  })
  parts.resolver = resolver
  parts.resolverAddresses = slot.resolver
  parts.suffix = suffix
  const { toVirtual, toReal } = addresses
  const relay = new Relay({ way: () => link.tunnel, resolver, resolverAddresses: slot.resolver, toReal })
  const stack = startStack(running, parts, { device, relay, names, toReal })
  const outside = (await carrierAddresses(cluster)).map(({ address }) => address)
  neighbours.tell({ context: cluster.contextName, suffix, device: device.name, outside })
  await point(running, options, reached, { ...place, resolver, toVirtual })
  return {
    lost: stack.lost,
    banner:
      neighbours.list.length === 0 || suffix === ''
        ? []
        : [`Beside another kt, names of this one alone end in ${suffix}`],
    suggestions: () => suggestions(names, neighbours.list.length === 0 ? {} : { suffix, toVirtual })
  }
}

interface Aim extends Place {
  resolver: Resolver
  toVirtual(address: string): string
}

/** Point the laptop's resolver and its routes at the device, and keep both true. */
async function point(running: Running, options: JoinOptions, reached: Reached, aim: Aim): Promise<void> {
  const { report, stop } = running
  const { cluster, facts, ranges, neighbours, parts } = reached
  const { allowConflict } = options
  const device = aim.device.name
  let latest = ranges
  // First the resolver, because its upstreams must stay outside of the routes.
  const dns = await pointDns(running, options, reached, aim, () => {
    if (parts.routes === undefined) return
    parts.dns = dns.describe
    parts.routes.follow(plan(latest))
  })
  const plan = (found: Ranges): Promise<RouteInput> =>
    planInput(options, found, {
      device,
      upstreams: dns.upstreams().map(withoutPort),
      outside: neighbours.outside
    })
  const routes = new Routes({ device, pools: aim.slot.pools, allowConflict, report }, await plan(ranges))
  parts.routes = routes
  await step(running, 'Routes to tun device completed', () => routes.install())
  const follow = (changed: Ranges): void => {
    latest = changed
    routes.follow(plan(changed))
    dns.follow(changed)
  }
  dns.follow(ranges) // in virtual addresses, where there are any
  await watchRanges(cluster, facts, ranges, stop.signal, follow)
  neighbours.tell({ ready: true })
  followNeighbours(neighbours, report, () => routes.follow(plan(latest)))
}

/** `changed`: others answer names now than before. */
async function pointDns(
  running: Running,
  { dnsMode: mode, includeDomains }: JoinOptions,
  { names, ranges, journal, neighbours, parts }: Reached,
  { device, slot, suffix, resolver, toVirtual }: Aim,
  changed: () => void
): Promise<LaptopDns> {
  const { life, report } = running
  const [server] = slot.resolver
  const dns = await step(running, 'DNS set up', () =>
    startDns({
      ...{ mode, server, suffix, toVirtual, includeDomains, names, ranges, resolver, journal, neighbours, report },
      device: device.name,
      onUpstreams: changed
    })
  )
  life.onStop('DNS put back', () => dns.restore())
  parts.dns = dns.describe
  report({ event: 'dns', mode: dns.mode, server, description: dns.describe })
  return dns
}

/** `10.0.0.1:5353` → `10.0.0.1`, `[fd00::1]:53` → `fd00::1`. */
function withoutPort(server: string): string {
  return server.replace(/^\[(.*)\]:\d+$/, '$1').replace(/^([^:]*):\d+$/, '$1')
}
