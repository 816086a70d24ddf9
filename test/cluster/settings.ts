// What distinguishes one test cluster from another: its number, its addresses, its names and its paths. Pure.
import { join } from 'node:path'

/** What the user chooses on the command line. */
export interface Choice {
  /** One of `IDS`; several clusters run side by side. */
  id: number
  /** Nodes: 1 or 2. */
  nodes: number
  proxy: 'nftables' | 'iptables'
  /** Service and pod ranges of both address families. */
  dualStack: boolean
  /** Deploy the namespace `demo`. */
  demo: boolean
}

/** One node: `n1` is `ktk-n1` outside of the cluster. */
export interface NodeSettings {
  name: string
  number: number
  netns: string
  /** Addresses in the cluster's LAN, IPv4 first. */
  addresses: string[]
  /** Pod ranges with their gateways, IPv4 first. */
  podRanges: string[]
  directory: string
}

/** Everything derived from a choice. Addresses of IPv6 are there only in a dual-stack cluster. */
export interface Settings extends Choice {
  prefix: string
  /** Network namespace of the control plane. */
  controlPlane: string
  /** Network namespace of the developer's laptop. */
  laptop: string
  /** Both ends of the link between the machine and the control plane. */
  hostAddress: string
  apiAddress: string
  /** Both ends of the link between the control plane and the laptop; the first one is the company's DNS, too. */
  laptopGateway: string
  laptopAddress: string
  /** The control plane in the cluster's LAN. */
  lanAddresses: string[]
  lanRanges: string[]
  podRanges: string[]
  serviceRanges: string[]
  dnsAddress: string
  nodeList: NodeSettings[]
  binaries: string
  images: string
  state: string
  pki: string
  kubeconfig: string
  /** kt's state directory on this cluster's laptop. */
  ktHome: string
}

/** Ids that exist: 7 is the demo's, 8 to 10 are those of the end-to-end tests. */
export const IDS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
/** The most nodes a cluster can have: certificates are made for all of them, `down` looks for all of them. */
export const MOST_NODES = 2

const LAN = { ipv4: '10.200.0', ipv6: 'fd10:200::' }

/** Derive a cluster's settings; `cache` is the directory that outlives a checkout. */
export function clusterSettings(choice: Choice, cache: string): Settings {
  const prefix = choice.id === 0 ? 'ktk' : `ktk${choice.id}`
  const state = join(cache, `state${choice.id}`)
  const families = <T>(ipv4: T, ipv6: T): T[] => (choice.dualStack ? [ipv4, ipv6] : [ipv4])
  const node = (number: number): NodeSettings => ({
    name: `n${number}`,
    number,
    netns: `${prefix}-n${number}`,
    addresses: families(`${LAN.ipv4}.1${number}`, `${LAN.ipv6}1${number}`),
    podRanges: families(`10.244.${number}.0/24`, `fd10:244:0:${number}::/64`),
    directory: join(state, `n${number}`)
  })
  return {
    ...choice,
    prefix,
    controlPlane: `${prefix}-cp`,
    laptop: `${prefix}-lap`,
    hostAddress: `10.199.${choice.id}.1`,
    apiAddress: `10.199.${choice.id}.2`,
    laptopGateway: `10.199.${100 + choice.id}.1`,
    laptopAddress: `10.199.${100 + choice.id}.2`,
    lanAddresses: families(`${LAN.ipv4}.1`, `${LAN.ipv6}1`),
    lanRanges: families(`${LAN.ipv4}.0/24`, `${LAN.ipv6}/64`),
    podRanges: families('10.244.0.0/16', 'fd10:244::/48'),
    serviceRanges: families('10.96.0.0/16', 'fd10:96::/112'),
    dnsAddress: '10.96.0.10',
    nodeList: Array.from({ length: choice.nodes }, (_, index) => node(index + 1)),
    binaries: join(cache, 'bin'),
    images: join(cache, 'images'),
    state,
    pki: join(state, 'pki'),
    kubeconfig: join(state, 'kubeconfig'),
    ktHome: join(state, 'laptop')
  }
}

/** The directory of binaries, images and state: `KT_CLUSTER_CACHE`, or `kt-cluster` in the user's cache. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  if (env.KT_CLUSTER_CACHE) return env.KT_CLUSTER_CACHE
  return join(env.XDG_CACHE_HOME || join(env.HOME || '/root', '.cache'), 'kt-cluster')
}

/** The prefix length behind an address of the LAN. */
export function lanPrefixLength(address: string): number {
  return address.includes(':') ? 64 : 24
}
