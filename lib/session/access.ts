// The cluster within reach of this process and nothing changed on the computer: what a proxy, a shell and a program with the library stand on.
import { getServers } from 'node:dns'
import { Resolver } from '../dns/server.ts'
import { covers, planRoutes, type Route } from '../host/plan.ts'
import type { Cluster } from '../kube/api/client.ts'
import { discoverRanges, type Ranges, watchRanges } from '../kube/network/ranges.ts'
import { type WatchedNames, watchServices } from '../kube/network/services.ts'
import type { AgentLink } from './link/link.ts'
import type { ClusterOptions } from './link/open-cluster.ts'
import { reachAgent } from './link/reach-agent.ts'
import { ClusterDialer } from './network/cluster-dialer.ts'
import { clusterDomain } from './network/cluster-domain.ts'
import { LEARNT, LEARNT_MAX, type RouteOptions } from './network/routes.ts'
import { type Running, step } from './run.ts'
import type { Parts } from './status.ts'

export interface AccessOptions extends ClusterOptions, RouteOptions {
  image: string
  /** Longest time that an answer of the cluster's DNS is kept, in seconds; undefined: our own choice. */
  dnsCacheTtl: number | undefined
  /** Instead of the one that the cluster itself names. */
  clusterDomain: string | undefined
  /** Further domains whose names the cluster's DNS is asked for. */
  includeDomains: string[]
}

export interface Access {
  readonly cluster: Cluster
  readonly names: WatchedNames
  readonly dialer: ClusterDialer
  readonly link: AgentLink
  /** Answers every name: the cluster's from the cluster, others by its `upstreams`. */
  readonly resolver: Resolver
  /** The ranges that are the cluster's, at this moment. */
  routes(): readonly Route[]
}

/**
 * Everything that `kt up` has but the device, its routes and the resolver of the computer, in a cluster that is open. `by` is who dials, for
 * the log. Throws KtError.
 */
export async function openAccess(
  running: Running,
  cluster: Cluster,
  options: AccessOptions,
  by: string,
  parts: Parts
): Promise<Access> {
  const { stop } = running
  let found: Ranges = { ranges: [], never: [] }
  const learnt: Route[] = []
  let routes = plan(options, found, learnt) // a typing error in a range is said before anything is made
  const link = await reachAgent(running, cluster, parts, { image: options.image })
  const facts = await link.facts()
  const domain = options.clusterDomain ?? clusterDomain(facts.resolvConf)
  const [names, ranges] = await step(running, 'Services and address ranges read', () =>
    Promise.all([watchServices(cluster, domain, stop.signal), discoverRanges(cluster, facts, stop.signal)])
  )
  const follow = (changed: Ranges): void => {
    found = changed
    routes = plan(options, found, learnt)
  }
  follow(ranges)
  await watchRanges(cluster, facts, ranges, stop.signal, follow)
  const isClusterAddress = (address: string): boolean => covers(routes, address)
  const { includeDomains } = options
  const resolver = new Resolver({
    names,
    cluster: message => link.resolve(message),
    upstreams: getServers(),
    isClusterAddress,
    learned(address) {
      if (isClusterAddress(address) || learnt.length >= LEARNT_MAX) return
      const cidr = `${address}/${address.includes(':') ? 128 : 32}`
      if (learnt.some(route => route.cidr === cidr)) return // and it is one of those that are never reached so
      learnt.push({ cidr, reason: LEARNT })
      follow(found)
    },
    cacheTtlMaxS: options.dnsCacheTtl,
    includeDomains
  })
  parts.resolver = resolver
  const dialer = new ClusterDialer({ link, resolver, names, isClusterAddress, includeDomains, by })
  return { cluster, names, dialer, link, resolver, routes: () => routes }
}

/** No device, so the computer's own subnets take nothing away; the API server and nodes are reached as before. */
function plan(
  { includeIps, excludeIps, disablePodIp }: RouteOptions,
  { ranges, never }: Ranges,
  learnt: readonly Route[]
): readonly Route[] {
  const wanted = ranges.filter(({ kind }) => kind === 'service' || !disablePodIp)
  return planRoutes({ ranges: [...wanted, ...learnt], include: includeIps, exclude: excludeIps, never, local: [] })
    .routes
}
