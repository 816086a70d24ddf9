// From what was seen in the cluster to ranges with a reason each. Pure: reading is range-evidence.ts.
import { around, type Cidr, collapse, contains, formatCidr, parseCidr } from './cidr.ts'

/** What the agent sees from inside its pod. */
export interface PodFacts {
  /** KUBERNETES_SERVICE_HOST, or empty. */
  serviceHost: string
  podAddresses: { address: string; prefix: number }[]
  /** Text of /etc/resolv.conf. */
  resolvConf: string
  /** Text of /proc/net/route; empty where there is none. */
  routes: string
}

/** What the API server told, as far as we may ask. */
export interface Evidence {
  /** ServiceCIDR objects: name and ranges. Empty: none may be read, or the cluster is older than 1.33. */
  serviceCidrs: { name: string; cidrs: string[] }[]
  /** Ranges from the error for a Service with an impossible address, or undefined. */
  validServiceRange: string | undefined
  /** ClusterIPs of services. */
  serviceAddresses: string[]
  nodes: { name: string; podCidrs: string[]; addresses: string[] }[]
  /** Addresses of pods of their own; those of the host's network are in `hostAddresses`. */
  podAddresses: string[]
  hostAddresses: string[]
  /** Where pods and services were looked at: `the cluster` or `namespace x`. */
  seenIn: string
  /** Of the API server and of the proxy before it. */
  serverAddresses: { address: string; reason: string }[]
}

export interface Range {
  cidr: string
  kind: 'service' | 'pod'
  reason: string
}

/** Ranges to route, and addresses that must stay outside whatever a range says. */
export interface Ranges {
  ranges: Range[]
  never: { address: string; reason: string }[]
}

/** Around an address that is seen but not explained: what CNIs give one node, and what an IPv6 subnet is. */
const AROUND_IPV4 = 24
const AROUND_IPV6 = 64
/** A wider route in a pod is no pod range; it is somebody's default. */
const ROUTE_PREFIX_MIN = 8

/** The order is that of trust: what the cluster declares, then what the agent's pod has, then what was seen. */
export function decideRanges(evidence: Evidence, facts: PodFacts): Ranges {
  const never = new Map<string, string>()
  for (const { address, reason } of evidence.serverAddresses) never.set(address, reason)
  for (const { name, addresses } of evidence.nodes)
    for (const a of addresses) if (!never.has(a)) never.set(a, `node ${name}`)
  for (const address of evidence.hostAddresses)
    if (!never.has(address)) never.set(address, 'a node, seen from its pods')
  const ranges = new RangeList()
  serviceRanges(ranges, evidence, facts)
  podRanges(ranges, evidence, facts, never)
  return { ranges: ranges.list, never: [...never].map(([address, reason]) => ({ address, reason })) }
}

class RangeList {
  readonly list: Range[] = []
  readonly #cidrs: Cidr[] = []

  covers(cidr: Cidr): boolean {
    return this.#cidrs.some(known => contains(known, cidr))
  }

  /** Unless it lies in what is there already. */
  add(cidr: Cidr, kind: Range['kind'], reason: string): void {
    if (this.covers(cidr)) return
    this.#cidrs.push(cidr)
    this.list.push({ cidr: formatCidr(cidr), kind, reason })
  }
}

function serviceRanges(ranges: RangeList, evidence: Evidence, facts: PodFacts): void {
  for (const { name, cidrs } of evidence.serviceCidrs)
    for (const cidr of parsed(cidrs)) ranges.add(cidr, 'service', `ServiceCIDR ${name}`)
  for (const cidr of parsed(evidence.validServiceRange?.split(/[\s,]+/) ?? []))
    ranges.add(cidr, 'service', 'valid range for services, says the API server')
  const seen = parsed(evidence.serviceAddresses).filter(address => !ranges.covers(address))
  for (const cidr of collapse(seen.map(widened))) ranges.add(cidr, 'service', `around services of ${evidence.seenIn}`)
  for (const address of parsed([facts.serviceHost]))
    ranges.add(widened(address), 'service', 'around the address of the service kubernetes')
  for (const address of nameservers(facts.resolvConf)) ranges.add(address, 'service', "the cluster's DNS server")
}

function podRanges(ranges: RangeList, evidence: Evidence, facts: PodFacts, never: ReadonlyMap<string, string>): void {
  const declared = evidence.nodes.flatMap(({ name, podCidrs }) => parsed(podCidrs).map(cidr => ({ name, cidr })))
  for (const cidr of collapse(declared.map(d => d.cidr))) {
    const nodes = declared.filter(d => contains(cidr, d.cidr)).map(d => d.name)
    ranges.add(cidr, 'pod', nodes.length === 1 ? `podCIDR of node ${nodes[0]}` : `podCIDRs of ${nodes.length} nodes`)
  }
  const own = facts.podAddresses.filter(({ address }) => !never.has(address)) // a shadow in the host's network teaches nothing
  for (const route of podRoutes(facts.routes, parsed(own.map(o => o.address))))
    ranges.add(route, 'pod', "route in the agent's pod")
  for (const { address, prefix } of own) {
    const [one] = parsed([address])
    // A prefix of 32 or 128 says nothing about the others.
    if (one !== undefined)
      ranges.add(
        prefix < one.prefix && prefix >= ROUTE_PREFIX_MIN ? around(one, prefix) : widened(one),
        'pod',
        "network of the agent's pod"
      )
  }
  const seen = parsed(evidence.podAddresses.filter(address => !never.has(address))).filter(
    address => !ranges.covers(address)
  )
  for (const cidr of collapse(seen.map(widened))) ranges.add(cidr, 'pod', `around pods of ${evidence.seenIn}`)
}

function widened(address: Cidr): Cidr {
  const prefix = address.family === 4 ? AROUND_IPV4 : AROUND_IPV6
  return around(address, Math.min(prefix, address.prefix))
}

function parsed(texts: readonly string[]): Cidr[] {
  return texts.map(parseCidr).filter(cidr => cidr !== undefined)
}

/** Nameservers that are services; a node-local cache has a link-local address, which belongs to the node. */
function nameservers(resolvConf: string): Cidr[] {
  const listed = parsed([...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(match => match[1]!))
  const local = parsed(['169.254.0.0/16', '127.0.0.0/8', 'fe80::/10', '::1/128'])
  return listed.filter(address => !local.some(range => contains(range, address)))
}

/** Routes of /proc/net/route (little-endian hex) that hold one of the pod's own addresses: flannel names the whole pod network there. */
function podRoutes(text: string, own: readonly Cidr[]): Cidr[] {
  const routes: Cidr[] = []
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/)
    const [destination, mask] = [littleEndian(fields[1]), littleEndian(fields[7])]
    if (destination === undefined || mask === undefined) continue
    const prefix = mask.toString(2).replaceAll('0', '').length
    const route = around({ family: 4, first: destination, prefix: 32 }, prefix)
    if (prefix >= ROUTE_PREFIX_MIN && prefix < 32 && own.some(address => contains(route, address))) routes.push(route)
  }
  return routes.sort((a, b) => a.prefix - b.prefix)
}

function littleEndian(hex: string | undefined): bigint | undefined {
  if (hex === undefined || !/^[\da-f]{8}$/i.test(hex)) return undefined
  return BigInt(Buffer.from(hex, 'hex').readUInt32LE(0))
}
