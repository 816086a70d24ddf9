// `kt shell`, put together: a network of its own for one program and what that starts, whose only way out is our stack. Needs no root.
import { BlockList } from 'node:net'
import { Namespace } from '../host/namespace-linux.ts'
import { pointNamespace } from '../host/namespace-resolver.ts'
import { covers } from '../host/plan.ts'
import { addRoutes, configureDevice } from '../host/routes-linux.ts'
import { connectRights } from '../kube/api/access.ts'
import type { Device } from '../tun/device.ts'
import { openTun, TX_QUEUE_LENGTH } from '../tun/linux.ts'
import { type Access, type AccessOptions, openAccess } from './access.ts'
import { openCluster } from './link/open-cluster.ts'
import { directWay } from './network/direct-way.ts'
import { Relay, type Way } from './network/relay.ts'
import { startStack } from './network/stack.ts'
import { suggestions } from './network/suggestions.ts'
import { sessions } from './registry.ts'
import { BANNER, type Report } from './report.ts'
import { type Running, runSession, step } from './run.ts'
import type { Parts } from './status.ts'

/** How a program gets inside. */
export interface Entrance {
  /** In front of its own words. */
  words: readonly string[]
  /** Beside its own variables. */
  environment: Record<string, string>
}

const DEVICE = 'kt0'
/** Alone on their link, so that those of the resolver and of the computer are reached by the default route, too. */
const ADDRESSES = ['198.18.0.1/32', 'fd6b:7400::1/128']
const RESOLVER_ADDRESSES = ['198.18.0.2', 'fd6b:7400::2'] as const
/** Leads to 127.0.0.1 of the computer: inside, that is the shell's own. */
const COMPUTER_ADDRESS = '198.18.0.3'
/** One default route of each family: what is the cluster's is decided by the relay. */
const EVERYTHING = ['0.0.0.0/0', '::/0']

const MULTICAST = new BlockList()
MULTICAST.addSubnet('224.0.0.0', 4, 'ipv4')
MULTICAST.addSubnet('ff00::', 8, 'ipv6')

/**
 * Make the network, and keep it until `stop` is aborted; then undo it. `inside` is told the entrance before the report says `ready`. Rejects
 * with the error that ended it.
 */
export async function shell(
  options: AccessOptions,
  report: Report,
  stop: AbortController,
  inside: (entrance: Entrance) => void
): Promise<void> {
  await runSession(report, stop, running => start(running, options, inside))
}

async function start(
  running: Running,
  options: AccessOptions,
  inside: (entrance: Entrance) => void
): Promise<{ lost: Promise<Error> }> {
  const { report, life } = running
  const began = performance.now()
  const parts: Parts = {}
  sessions() // on the way it removes what killed ones have left of themselves
  const namespace = await step(running, 'Network namespace is ready', () => Namespace.open())
  life.onStop('Network namespace left', () => namespace.close())
  const device = await openDevice(running, namespace)
  const cluster = await openCluster(running, options, { name: 'shell', rights: connectRights }, parts)
  const access = await openAccess(running, cluster, options, 'shell', parts)
  const relay = new Relay({
    way: ways(access),
    resolver: access.resolver,
    resolverAddresses: RESOLVER_ADDRESSES
  })
  const stack = startStack(running, parts, { device, relay, names: access.names })
  await step(running, 'DNS set up', () => pointDns(running, parts, namespace, access))
  const { contextName, namespace: own } = cluster
  inside({ words: namespace.entrance, environment: { KT_SHELL: `${contextName}/${own}` } })
  report({ event: 'ready', ms: performance.now() - began, try: suggestions(access.names), banner: BANNER })
  return { lost: stack.lost }
}

async function openDevice(running: Running, namespace: Namespace): Promise<Device> {
  return await step(running, `Tun device ${DEVICE} is ready in it`, async () => {
    const tun = await openTun({ name: DEVICE, from: namespace.tun })
    running.life.onStop('', () => tun.close())
    const setup = { addresses: ADDRESSES, mtu: tun.mtu, txQueueLength: TX_QUEUE_LENGTH }
    await configureDevice(DEVICE, setup, namespace)
    await addRoutes(DEVICE, EVERYTHING, namespace)
    return tun
  })
}

/** The cluster's addresses through the agent, all others as from outside. */
function ways({ routes, link }: Access): (address: string) => Way | undefined {
  const direct = directWay()
  const computer = directWay(() => '127.0.0.1')
  return address => {
    if (address === COMPUTER_ADDRESS) return computer
    if (covers(routes(), address)) return link.tunnel
    // Nobody outside would know where to send the answers.
    return MULTICAST.check(address, address.includes(':') ? 'ipv6' : 'ipv4') ? undefined : direct
  }
}

async function pointDns(
  { report, life }: Running,
  parts: Parts,
  namespace: Namespace,
  { names, resolver }: Access
): Promise<void> {
  const [server] = RESOLVER_ADDRESSES
  const { domain } = names
  const search = [`${names.namespace}.svc.${domain}`, `svc.${domain}`, domain]
  const end = await pointNamespace({
    namespace,
    ours: { server, search },
    onUpstreams(upstreams) {
      resolver.upstreams = upstreams
      parts.dns = `/etc/resolv.conf inside names ${server}; other names are asked from ${upstreams.join(', ')}`
    },
    note: text => report({ event: 'warning', text })
  })
  life.onStop('', end)
  report({ event: 'dns', mode: 'resolv.conf', server, description: parts.dns ?? '' })
}
