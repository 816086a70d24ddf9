import { Resolver } from '../dns/server.ts'
import { openJournal } from '../host/journal.ts'
import { covers, type PlanInput, planRoutes } from '../host/plan.ts'
import { configureDevice } from '../host/routes-linux.ts'
import { stateDirectory } from '../host/state.ts'
import { connectRights } from '../kube/api/access.ts'
import type { Right } from '../kube/api/api-error.ts'
import { discoverRanges, type Ranges, watchRanges } from '../kube/network/ranges.ts'
import { watchServices } from '../kube/network/services.ts'
import type { Device } from '../tun/device.ts'
import { openTun, TX_QUEUE_LENGTH } from '../tun/linux.ts'
import { recoverLaptop } from './laptop.ts'
import { type ClusterOptions, openCluster } from './link/open-cluster.ts'
import { reachAgent } from './link/reach-agent.ts'
import { clusterDomain } from './network/cluster-domain.ts'
import { type DnsOptions, type LaptopDns, startDns } from './network/dns.ts'
import type { DnsMode } from './network/dns-mode.ts'
import { Relay } from './network/relay.ts'
import { planInput, Routes } from './network/routes.ts'
import { startStack } from './network/stack.ts'
import { suggestions } from './network/suggestions.ts'
import { BANNER, type Report } from './report.ts'
import { type Running, runSession, step } from './run.ts'
import type { Parts } from './status.ts'
import type { LocalOptions } from './traffic-in/exposing.ts'
import { planTraffic, type TrafficWishes, trafficRights } from './traffic-in/traffic.ts'

export interface UpOptions extends ClusterOptions, LocalOptions, TrafficWishes {
  /** Addresses and ranges that stay outside of the TUN. */
  excludeIps: string[]
  /** Further addresses and ranges to route. */
  includeIps: string[]
  /** Leave pod addresses to the laptop's own network. */
  disablePodIp: boolean
  dnsMode: DnsMode
  /** Longest time that an answer of the cluster's DNS is kept, in seconds; undefined: our own choice. */
  dnsCacheTtl: number | undefined
  /** Instead of the one that the cluster itself names. */
  clusterDomain: string | undefined
  /** Further domains whose names the cluster's DNS is asked for. */
  includeDomains: string[]
}

const DEVICE = 'kt0'
const LAPTOP_ADDRESSES = ['198.18.0.1/30', 'fd6b:7400::1/126']
const RESOLVER_ADDRESSES = ['198.18.0.2', 'fd6b:7400::2'] as const

/** What the steps share. */
interface Session extends Running {
  readonly options: UpOptions
  /** Filled in as the parts start. */
  readonly parts: Parts
}

/**
 * Join the laptop to the cluster, and stay until `stop` is aborted or the session is lost; then undo all of it.
 * Rejects with the error that ended it; whatever had been changed until then is undone first.
 */
export async function up(options: UpOptions, report: Report, stop: AbortController): Promise<void> {
  await runSession(report, stop, running => start({ ...running, options, parts: {} }))
}

/** Resolves when everything works. */
async function start(session: Session): Promise<{ lost: Promise<Error> }> {
  const { options, report, stop, life, parts } = session
  const began = performance.now()
  // A typing error in a range is said before anything is made.
  planRoutes({ ranges: [], include: options.includeIps, exclude: options.excludeIps, never: [], local: [] })
  for (const text of await recoverLaptop()) report({ event: 'note', text: `left behind by an earlier kt: ${text}` })
  const rights = (namespace: string): Right[] => [...connectRights(namespace), ...trafficRights(options)(namespace)]
  const cluster = await openCluster(session, options, { name: 'up', rights }, parts)
  const beginTraffic = await planTraffic({ ...session, cluster, began }, options)
  const journal = openJournal(stateDirectory('journal'))
  life.onStop('', () => journal.close())

  const link = await reachAgent(session, cluster, parts, { image: options.image })
  const facts = await link.facts()
  const domain = options.clusterDomain ?? clusterDomain(facts.resolvConf)
  const [names, ranges] = await step(session, 'Services and address ranges read', () =>
    Promise.all([watchServices(cluster, domain, stop.signal), discoverRanges(cluster, facts, stop.signal)])
  )
  const resolver = new Resolver({
    names,
    cluster: message => link.resolve(message),
    isClusterAddress: address => covers(parts.routes?.plan.routes ?? [], address),
    learned: address => parts.routes?.learn(address),
    cacheTtlMaxS: options.dnsCacheTtl,
    includeDomains: options.includeDomains
  })
  parts.resolver = resolver
  parts.resolverAddresses = RESOLVER_ADDRESSES
  const relay = new Relay({ way: () => link.tunnel, resolver, resolverAddresses: RESOLVER_ADDRESSES })
  const stack = startStack(session, parts, { device: await openDevice(session), relay, names })
  let latest = ranges
  // First the resolver, because its upstreams must stay outside of the routes.
  const onUpstreams = (): void => parts.routes?.follow(plan(latest))
  const dns = await pointDns(session, { journal, resolver, names, ranges, onUpstreams })
  const plan = (found: Ranges): Promise<PlanInput> =>
    planInput(options, found, { device: DEVICE, upstreams: dns.upstreams().map(withoutPort) })
  const routes = new Routes(DEVICE, await plan(ranges), report)
  parts.routes = routes
  await step(session, 'Routes to tun device completed', () => routes.install())
  await watchRanges(cluster, facts, ranges, stop.signal, changed => {
    latest = changed
    routes.follow(plan(changed))
    dns.follow(changed)
  })
  const traffic = await beginTraffic()
  parts.exposed = traffic.exposed
  const banner = [BANNER, ...traffic.banners].join('\n ')
  report({ event: 'ready', ms: performance.now() - began, try: suggestions(names), banner })
  return { lost: Promise.race([stack.lost, traffic.lost]) }
}

async function openDevice({ life, report, stop }: Session): Promise<Device> {
  return await step({ report, stop }, `Tun device ${DEVICE} is ready`, async () => {
    const tun = await openTun({ name: DEVICE })
    life.onStop(`Tun device ${DEVICE} and its routes removed`, () => tun.close())
    await configureDevice(DEVICE, { addresses: LAPTOP_ADDRESSES, mtu: tun.mtu, txQueueLength: TX_QUEUE_LENGTH })
    return tun
  })
}

type DnsParts = Pick<DnsOptions, 'journal' | 'resolver' | 'names' | 'ranges' | 'onUpstreams'>

async function pointDns(session: Session, dnsParts: DnsParts): Promise<LaptopDns> {
  const { life, parts, report, options } = session
  const [server] = RESOLVER_ADDRESSES
  const { dnsMode: mode, includeDomains } = options
  const dns = await step(session, 'DNS set up', () =>
    startDns({ ...dnsParts, mode, device: DEVICE, server, includeDomains, report })
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
