// Whose name is it? Pure: the cluster's, by whatever spelling a program in a pod could use, or everybody else's.
import { formatAddress, parseAddress } from '../wire/address.ts'
import { isService } from './answer.ts'
import type { ClusterNames } from './cluster-names.ts'

export type Whose =
  /** Below the cluster domain; `below` are the labels in front of it, `name` is the full name. */
  | ({ kind: 'cluster'; name: string; below: string[] } & Ours)
  /** Below one of the domains that the user has given to the cluster's DNS. */
  | ({ kind: 'included'; name: string; domain: string } & Ours)
  /** A reverse lookup of an address that is the cluster's; `name` is its reverse name there. */
  | ({ kind: 'reverse'; name: string; address: string } & Ours)
  /** Everybody else's; `isWay`: it leads to the cluster itself, so that no cluster may answer it. */
  | { kind: 'foreign'; isWay?: boolean }

interface Ours {
  /** The name means this session and no other on this computer: names in its answer end in this. */
  suffix?: string
}

const FOREIGN: Whose = { kind: 'foreign' }

/**
 * Full names end in the cluster domain. `x.svc` and `x.pod` are ours too: there are no such top-level domains.
 * Any other name is ours only if, with one of a pod's search domains behind it, it is a service that is known here.
 * @param name lower case, no final dot
 * @param isClusterAddress true for an address that is reached through the tunnel
 * @param includeDomains further domains that the cluster's DNS is asked for, lower case, without dots at their ends
 */
export function whose(
  name: string,
  names: ClusterNames,
  isClusterAddress: (address: string) => boolean,
  includeDomains: readonly string[] = []
): Whose {
  const { domain, namespace } = names
  if (name === domain) return { kind: 'cluster', name, below: [] }
  if (name.endsWith(`.${domain}`)) {
    return { kind: 'cluster', name, below: name.slice(0, -domain.length - 1).split('.') }
  }
  if (name.endsWith('.arpa')) {
    const address = addressOf(name)
    return address !== undefined && isClusterAddress(address) ? { kind: 'reverse', name, address } : FOREIGN
  }
  if (name === '') return FOREIGN
  const included = includeDomains.find(each => name === each || name.endsWith(`.${each}`))
  if (included !== undefined) return { kind: 'included', name, domain: included }
  const labels = name.split('.')
  if (labels.length > 1 && (labels.at(-1) === 'svc' || labels.at(-1) === 'pod')) {
    return { kind: 'cluster', name: `${name}.${domain}`, below: labels }
  }
  // The search list of a pod (kubelet, ClusterFirst); its last entry, the bare domain, holds no services but the above.
  for (const search of [[namespace, 'svc'], ['svc']]) {
    const below = [...labels, ...search]
    if (isService(names, below)) return { kind: 'cluster', name: `${below.join('.')}.${domain}`, below }
  }
  return FOREIGN
}

/**
 * A name below `suffix` is this session's, whatever it is: `nginx.demo.west.kt` is `nginx.demo` in its cluster. Undefined: it is not below it.
 * @param name lower case, no final dot
 */
export function whoseBelow(
  suffix: string,
  name: string,
  names: ClusterNames,
  includeDomains: readonly string[] = []
): Whose | undefined {
  if (name === suffix) return { kind: 'cluster', name: names.domain, below: [], suffix }
  if (!name.endsWith(`.${suffix}`)) return undefined
  const inner = name.slice(0, -suffix.length - 1)
  const found = whose(inner, names, () => false, includeDomains)
  if (found.kind !== 'foreign') return { ...found, suffix }
  const labels = inner.split('.')
  const below = [...labels, ...(labels.length === 1 ? [names.namespace] : []), 'svc']
  return { kind: 'cluster', name: `${below.join('.')}.${names.domain}`, below, suffix }
}

/**
 * Programs look for a proxy under every search domain (RFC draft WPAD): such a question is never sent into the cluster, where an answer
 * from whoever runs a pod of that name would take over the laptop's browser.
 */
export function isProxyDiscovery(below: readonly string[]): boolean {
  return below[0] === 'wpad'
}

/** The name of an address in reverse lookups, RFC 1035 §3.5 and RFC 3596 §2.5; undefined for what is no address. */
export function reverseName(address: string): string | undefined {
  const bytes = parseAddress(address)
  if (bytes === undefined) return undefined
  if (bytes.length === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`
  return `${[...Buffer.from(bytes).toString('hex')].reverse().join('.')}.ip6.arpa`
}

/** The other way round; undefined if it is no full address. */
export function addressOf(reverseName: string): string | undefined {
  if (reverseName.endsWith('.in-addr.arpa')) {
    const text = reverseName.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.')
    return parseAddress(text) === undefined ? undefined : text
  }
  if (!reverseName.endsWith('.ip6.arpa')) return undefined
  const nibbles = reverseName.slice(0, -'.ip6.arpa'.length).split('.').reverse()
  if (nibbles.length !== 32 || !nibbles.every(nibble => /^[0-9a-f]$/.test(nibble))) return undefined
  return formatAddress(Buffer.from(nibbles.join(''), 'hex'), 0, 16)
}
