// What the watch of Services and EndpointSlices says about a name: the Kubernetes DNS specification 1.1.0, as CoreDNS does it. Pure.
import type { Answer } from 'dns-packet'
import type { AddressOwner, ClusterNames, ServiceEndpoint, ServicePort, ServiceRecord } from './cluster-names.ts'
import { RCODE, TYPE } from './message.ts'
import type { Reply } from './reply.ts'

/** Seconds. CoreDNS's default: a question costs nothing here, and a changed service is seen soon. */
export const TTL_S = 5
/** Of the specification whose records these are. */
const SCHEMA_VERSION = '1.1.0'

/** A reply; with `chase`, a name whose records of the same type belong behind the answers; or: the cluster's DNS must be asked. */
export type FromWatch = { reply: Reply; chase?: string } | 'ask'

/** Answer for the name with the labels `below` in front of the cluster domain. */
export function answerFromWatch(names: ClusterNames, below: readonly string[], type: number): FromWatch {
  const { domain } = names
  const nodata = (): FromWatch => ({ reply: empty(RCODE.NOERROR, domain) })
  const tree = below.at(-1)
  // CoreDNS has an SOA for every name, and TXT only where it is in the specification: rarely asked, and best by itself.
  if (type === TYPE.SOA) return 'ask'
  if (below.length === 1 && tree === 'dns-version' && type === TYPE.TXT) {
    return { reply: positive([{ type: 'TXT', name: `dns-version.${domain}`, ttl: TTL_S, data: SCHEMA_VERSION }]) }
  }
  const isTree = below.length === 0 || (below.length === 1 && (tree === 'svc' || tree === 'pod'))
  if (isTree) return type === TYPE.TXT || type === TYPE.NS ? 'ask' : nodata()
  // What CoreDNS does for `pod` is a matter of its configuration, and what else is there only it can know.
  if (tree !== 'svc') return 'ask'
  const namespace = below.at(-2) ?? ''
  if (!names.complete && namespace !== names.namespace) return 'ask'
  const nxdomain: FromWatch = { reply: empty(RCODE.NXDOMAIN, domain) }
  if (below.length === 2) {
    if (!names.hasNamespace(namespace)) return nxdomain
    return type === TYPE.TXT ? 'ask' : nodata()
  }
  const found = find(names, below)
  // A headless service looks as if it were not there where endpoints may not be watched.
  if (found === undefined) return names.complete ? nxdomain : 'ask'
  if (found === 'ask') return 'ask'
  const name = `${below.join('.')}.${domain}`
  const { service } = found
  if (service.kind === 'ExternalName') {
    if (type !== TYPE.A && type !== TYPE.AAAA && type !== TYPE.CNAME) return 'ask'
    const target = service.externalName.toLowerCase().replace(/\.$/, '')
    const reply = positive([{ type: 'CNAME', name, ttl: TTL_S, data: target }])
    return type === TYPE.CNAME ? { reply } : { reply, chase: target }
  }
  if (type === TYPE.SRV) return orNodata(services(found, name, `${below.slice(-3).join('.')}.${domain}`), nodata)
  const addresses = service.kind === 'Headless' ? found.endpoints.map(e => e.address) : service.addresses
  return orNodata(positive(addressRecords(name, addresses, type)), nodata)
}

/** True if the name is that of a service that is known here, of one of its endpoints or of one of its ports. */
export function isService(names: ClusterNames, below: readonly string[]): boolean {
  return below.length >= 3 && typeof find(names, below) === 'object'
}

/** The PTR records of an address; `name` is its reverse name. Undefined when the cluster's DNS must be asked. */
export function answerReverse(owners: readonly AddressOwner[], name: string, domain: string): Reply | undefined {
  if (owners.length === 0) return undefined
  const full = ({ namespace, service, endpoint }: AddressOwner): string =>
    `${endpoint === undefined ? '' : `${label(endpoint)}.`}${service}.${namespace}.svc.${domain}`
  return positive([...new Set(owners.map(full))].map(data => ({ type: 'PTR', name, ttl: TTL_S, data })))
}

/** A reply without answers; the SOA tells for how long that may be believed (RFC 2308 §3). */
export function empty(rcode: number, domain: string): Reply {
  const soa: Answer = {
    type: 'SOA',
    name: domain,
    ttl: TTL_S,
    data: {
      mname: `ns.dns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial: Math.trunc(Date.now() / 1000),
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: TTL_S
    }
  }
  return { rcode, answers: [], authorities: [soa], additionals: [] }
}

export function positive(answers: Answer[], additionals: Answer[] = []): Reply {
  return { rcode: RCODE.NOERROR, answers, authorities: [], additionals }
}

interface Found {
  service: ServiceRecord
  ports: ServicePort[]
  /** Only of a headless service: those that the name means. */
  endpoints: ServiceEndpoint[]
}

/** The service of `[[port.]proto.|endpoint.]service.namespace.svc`; undefined when there is none. */
function find(names: ClusterNames, below: readonly string[]): Found | 'ask' | undefined {
  const service = names.service(below.at(-2) ?? '', below.at(-3) ?? '')
  if (service === undefined) return undefined
  const { ports, endpoints } = service
  const [first, second, ...more] = below.slice(0, -3)
  // A headless service without a ready endpoint does not exist, one with a ClusterIP always does.
  const isThere = (found: Found): Found | undefined =>
    service.kind === 'Headless' && found.endpoints.length === 0 ? undefined : found
  if (first === undefined) return isThere({ service, ports, endpoints })
  if (more.length > 0 || service.kind === 'ExternalName') return undefined
  if (second === undefined) {
    // Endpoints of a service with a ClusterIP are not watched.
    if (service.kind !== 'Headless') return 'ask'
    return isThere({ service, ports, endpoints: endpoints.filter(endpoint => label(endpoint) === first) })
  }
  if (!first.startsWith('_') || !second.startsWith('_')) return 'ask'
  const named = (port: ServicePort): boolean =>
    `_${port.name}`.toLowerCase() === first && `_${port.protocol}`.toLowerCase() === second
  if (service.kind !== 'Headless')
    return ports.some(named) ? { service, ports: ports.filter(named), endpoints } : undefined
  const serving = endpoints.map(e => ({ ...e, ports: e.ports.filter(named) })).filter(e => e.ports.length > 0)
  return isThere({ service, ports: ports.filter(named), endpoints: serving })
}

/** SRV records with the addresses of their targets; each address and port has the same share of 100. */
function services({ service, ports, endpoints }: Found, name: string, serviceName: string): Reply {
  const targets =
    service.kind === 'Headless'
      ? endpoints.flatMap(e =>
          e.ports.map(({ port }) => ({ port, target: `${label(e)}.${serviceName}`, address: e.address }))
        )
      : ports.flatMap(({ port }) => service.addresses.map(address => ({ port, target: serviceName, address })))
  const weight = Math.max(1, Math.floor(100 / targets.length))
  // The same number over TCP and UDP, and one target with addresses of both families, are one record.
  const records = new Map(targets.map(each => [`${each.port} ${each.target}`, each]))
  const hosts = new Map<string, Set<string>>()
  for (const { target, address } of targets) hosts.set(target, (hosts.get(target) ?? new Set()).add(address))
  return positive(
    [...records.values()].map(({ port, target }) => {
      return { type: 'SRV', name, ttl: TTL_S, data: { priority: 0, weight, port, target } }
    }),
    [...hosts].flatMap(([target, addresses]) => [
      ...addressRecords(target, [...addresses], TYPE.A),
      ...addressRecords(target, [...addresses], TYPE.AAAA)
    ])
  )
}

/** The label of an endpoint: its host name, else its address with dashes; a label does not end in one (RFC 952). */
function label({ hostname, address }: Pick<ServiceEndpoint, 'hostname' | 'address'>): string {
  return hostname === '' ? address.replaceAll(/[.:]/g, '-').replace(/-$/, '-0') : hostname.toLowerCase()
}

function addressRecords(name: string, addresses: readonly string[], type: number): Answer[] {
  if (type !== TYPE.A && type !== TYPE.AAAA) return []
  return addresses
    .filter(address => address.includes(':') === (type === TYPE.AAAA))
    .map(data => ({ type: type === TYPE.A ? 'A' : 'AAAA', name, ttl: TTL_S, data }))
}

function orNodata(reply: Reply, nodata: () => FromWatch): FromWatch {
  return reply.answers.length > 0 ? { reply } : nodata()
}
