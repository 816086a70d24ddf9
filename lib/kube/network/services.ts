// The cluster's names from a watch of Services and EndpointSlices, for the resolver.
import type {
  AddressOwner,
  ClusterNames,
  ServiceEndpoint,
  ServicePort,
  ServiceRecord
} from '../../dns/cluster-names.ts'
import { unavailable } from '../api/api.ts'
import type { Cluster, EndpointSlice, Namespace, Service } from '../api/client.ts'
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from '../api/resource.ts'
import { watchObjects } from '../api/watch.ts'

/** The label by which a slice belongs to its service. */
const SERVICE_LABEL = 'kubernetes.io/service-name'

/** Names that keep themselves true until the watch's signal fires. */
export interface WatchedNames extends ClusterNames {
  /** All services, for a list or a suggestion. */
  services(): Iterable<ServiceRecord>
  /** How many addresses are ready behind a service, as far as endpoints are known. */
  ready(service: ServiceRecord): number
  /** All namespaces that are known: listed ones, else those in which a service was seen. */
  namespaces(): Iterable<string>
  reverse(address: string): AddressOwner[]
  /** After each change; several changes of one moment are one call. */
  onChange: (() => void) | undefined
}

/**
 * Read the services of the whole cluster, or of the one namespace when rights reach no further, and keep watching.
 * Rejects with KtError when not even that namespace may be read.
 */
export async function watchServices(cluster: Cluster, domain: string, signal: AbortSignal): Promise<WatchedNames> {
  const names = new Names(domain, cluster.namespace)
  const [services, slices] = await Promise.all([
    reach(cluster, namespace =>
      watchObjects<Service>(cluster.api, {
        resource: SERVICES,
        namespace,
        signal,
        onObject: (key, s) => names.setService(key, s)
      })
    ),
    reach(cluster, namespace =>
      watchObjects<EndpointSlice>(cluster.api, {
        resource: ENDPOINT_SLICES,
        namespace,
        signal,
        onObject: (key, s) => names.setSlice(key, s)
      })
    ).catch(forbiddenAs('nothing' as const)),
    watchObjects<Namespace>(cluster.api, {
      resource: NAMESPACES,
      signal,
      onObject: (key, n) => names.setNamespace(key, n)
    }).catch(forbiddenAs(undefined))
  ])
  names.slices = slices
  names.complete = services === 'cluster' && slices === 'cluster'
  return names
}

type Reach = 'cluster' | 'namespace' | 'nothing'

/** Try the whole cluster; a refusal leaves the one namespace. */
async function reach({ namespace }: Cluster, watch: (namespace: string | undefined) => Promise<void>): Promise<Reach> {
  try {
    await watch(undefined)
    return 'cluster'
  } catch (error) {
    if (!unavailable(error)) throw error
    await watch(namespace)
    return 'namespace'
  }
}

function forbiddenAs<T>(value: T): (error: unknown) => T {
  return error => {
    if (!unavailable(error)) throw error
    return value
  }
}

class Names implements WatchedNames {
  readonly domain: string
  readonly namespace: string
  complete = false
  onChange: (() => void) | undefined
  /** How far endpoints are known; a headless service without them would look empty, which is an answer too. */
  slices: Reach = 'nothing'
  readonly #services = new Map<string, ServiceRecord>()
  /** Slice key → the service it belongs to and its ready endpoints. */
  readonly #slices = new Map<string, { service: string; endpoints: ServiceEndpoint[] }>()
  readonly #slicesOf = new Map<string, Set<string>>()
  /** Address → keys of the services, or of the slices, that have it. */
  readonly #serviceAt = new Owners()
  readonly #slicesAt = new Owners()
  readonly #namespaces = new Set<string>()
  #pending: boolean = false

  constructor(domain: string, namespace: string) {
    this.domain = domain
    this.namespace = namespace
  }

  service(namespace: string, name: string): ServiceRecord | undefined {
    const record = this.#services.get(`${namespace}/${name}`)
    if (record?.kind !== 'Headless') return record
    if (this.slices === 'nothing' || (this.slices === 'namespace' && namespace !== this.namespace)) return undefined
    return record
  }

  ready({ namespace, name }: ServiceRecord): number {
    return this.#endpointsOf(`${namespace}/${name}`).length
  }

  *services(): Iterable<ServiceRecord> {
    yield* this.#services.values()
  }

  *namespaces(): Iterable<string> {
    yield* this.#namespaces
  }

  reverse(address: string): AddressOwner[] {
    const [service] = this.#serviceAt.of(address)
    if (service !== undefined) return [ownerOf(service)]
    // Where endpoints are not all known, others may have the address too.
    if (this.slices !== 'cluster') return []
    return [...this.#slicesAt.of(address)].flatMap(key => {
      const slice = this.#slices.get(key)
      const endpoint = slice?.endpoints.find(each => each.address === address)
      if (slice === undefined || endpoint === undefined) return []
      return { ...ownerOf(slice.service), endpoint: { address, hostname: endpoint.hostname } }
    })
  }

  hasNamespace(namespace: string): boolean {
    return namespace === this.namespace || this.#namespaces.has(namespace)
  }

  setNamespace(key: string, namespace: Namespace | undefined): void {
    if (namespace === undefined) this.#namespaces.delete(key)
    else this.#namespaces.add(key)
    this.#changed()
  }

  setService(key: string, service: Service | undefined): void {
    const record = service === undefined ? undefined : recordOf(service)
    for (const address of this.#services.get(key)?.addresses ?? []) this.#serviceAt.remove(address, key)
    for (const address of record?.addresses ?? []) this.#serviceAt.add(address, key)
    if (record === undefined) this.#services.delete(key)
    else {
      record.endpoints = record.kind === 'Headless' ? this.#endpointsOf(key) : []
      this.#services.set(key, record)
      this.#namespaces.add(record.namespace) // where namespaces may not be listed
    }
    this.#changed()
  }

  setSlice(key: string, slice: EndpointSlice | undefined): void {
    const known = this.#slices.get(key)
    const before = known?.service
    for (const { address } of known?.endpoints ?? []) this.#slicesAt.remove(address, key)
    const name = slice?.metadata?.labels?.[SERVICE_LABEL]
    const after = name === undefined ? undefined : `${slice?.metadata?.namespace}/${name}`
    if (before !== undefined && before !== after) this.#forget(key, before)
    if (slice !== undefined && after !== undefined) {
      const endpoints = endpointsOf(slice)
      this.#slices.set(key, { service: after, endpoints })
      for (const { address } of endpoints) this.#slicesAt.add(address, key)
      const keys = this.#slicesOf.get(after)
      if (keys === undefined) this.#slicesOf.set(after, new Set([key]))
      else keys.add(key)
    }
    for (const service of new Set([before, after])) if (service !== undefined) this.#refresh(service)
  }

  #forget(key: string, service: string): void {
    this.#slices.delete(key)
    const keys = this.#slicesOf.get(service)
    keys?.delete(key)
    if (keys?.size === 0) this.#slicesOf.delete(service)
  }

  #refresh(service: string): void {
    const record = this.#services.get(service)
    if (record?.kind !== 'Headless') return
    record.endpoints = this.#endpointsOf(service)
    this.#changed()
  }

  #endpointsOf(service: string): ServiceEndpoint[] {
    return [...(this.#slicesOf.get(service) ?? [])].flatMap(key => this.#slices.get(key)?.endpoints ?? [])
  }

  #changed(): void {
    if (this.#pending || this.onChange === undefined) return
    this.#pending = true
    setImmediate(() => {
      this.#pending = false
      this.onChange?.()
    })
  }
}

/** Address → keys, several for one address: a pod may be an endpoint of many services. */
class Owners {
  readonly #keys = new Map<string, Set<string>>()

  of(address: string): ReadonlySet<string> {
    return this.#keys.get(address) ?? new Set()
  }

  add(address: string, key: string): void {
    const keys = this.#keys.get(address)
    if (keys === undefined) this.#keys.set(address, new Set([key]))
    else keys.add(key)
  }

  remove(address: string, key: string): void {
    const keys = this.#keys.get(address)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(address)
  }
}

/** `namespace/name` of a service. */
function ownerOf(key: string): AddressOwner {
  const [namespace = '', service = ''] = key.split('/')
  return { namespace, service }
}

/** Undefined for what has no name in the cluster's DNS (yet): a ClusterIP that is still to be given. */
function recordOf({ metadata, spec }: Service): ServiceRecord | undefined {
  const record: ServiceRecord = {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    kind: 'ClusterIP',
    addresses: [],
    ports: (spec?.ports ?? []).map(port => portOf(port.name, port.protocol, port.port)),
    endpoints: [],
    externalName: ''
  }
  if (spec?.type === 'ExternalName') return { ...record, kind: 'ExternalName', externalName: spec.externalName ?? '' }
  if (spec?.clusterIP === 'None') return { ...record, kind: 'Headless' }
  const addresses = (spec?.clusterIPs ?? [spec?.clusterIP ?? '']).filter(address => address !== '')
  return addresses.length === 0 ? undefined : { ...record, addresses }
}

/** Ready ones: `ready` unset counts (the API says so), and publishNotReadyAddresses is already in it. */
function endpointsOf(slice: EndpointSlice): ServiceEndpoint[] {
  if (slice.addressType === 'FQDN') return []
  const ports = (slice.ports ?? []).flatMap(port =>
    port.port === undefined ? [] : portOf(port.name, port.protocol, port.port)
  )
  return (slice.endpoints ?? [])
    .filter(endpoint => endpoint.conditions?.ready ?? true)
    .flatMap(({ addresses, hostname }) => addresses.map(address => ({ address, hostname: hostname ?? '', ports })))
}

function portOf(name: string | undefined, protocol: string | undefined, port: number): ServicePort {
  return { name: name ?? '', protocol: (protocol ?? 'TCP').toLowerCase(), port }
}
