// Which addresses belong to the cluster: asked from everything that may know, with rights in one namespace or in all.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { unavailable } from '../api/api.ts'
import { ApiStatus } from '../api/api-error.ts'
import type { Cluster, Node, Pod, Service, ServiceCidr } from '../api/client.ts'
import { NODES, PODS, type Request, type Resource, SERVICE_CIDRS, SERVICES } from '../api/resource.ts'
import { type Watched, watchObjects } from '../api/watch.ts'
import { formatCidr, parseCidr } from './cidr.ts'
import { decideRanges, type Evidence, type PodFacts, type Ranges } from './range-decision.ts'

export type { PodFacts, Ranges } from './range-decision.ts'

/** Pods and services are only looked at as a sample: enough to see whether what the nodes declare is the truth. */
const SAMPLE = 500
/** Objects change in groups (a node pool grows): looked at again when it has been quiet for so long. */
const SETTLE_MS = 1_000
/** No service can have it (RFC 5737), so that the API server answers with its range. */
const IMPOSSIBLE_ADDRESS = '192.0.2.1'

/** Ask once. Sources that are closed to us or not there are left out; other refusals reject with KtError. */
export async function discoverRanges(cluster: Cluster, facts: PodFacts, signal?: AbortSignal): Promise<Ranges> {
  const [services, pods, serverAddresses] = await Promise.all([
    serviceEvidence(cluster, signal),
    podEvidence(cluster, signal),
    carrierAddresses(cluster)
  ])
  return decideRanges({ ...services, ...pods, serverAddresses }, facts)
}

/** Call `onChange` with the new ranges when nodes or ServiceCIDRs have changed them, until `signal` fires. Where neither may be watched nothing is called. */
export async function watchRanges(
  cluster: Cluster,
  facts: PodFacts,
  known: Ranges,
  signal: AbortSignal,
  onChange: (ranges: Ranges) => void
): Promise<void> {
  let last = JSON.stringify(known)
  let timer: NodeJS.Timeout | undefined
  let watching: boolean = false
  const again = async () => {
    const ranges = await discoverRanges(cluster, facts, signal).catch(() => undefined) // the next change asks again
    if (ranges === undefined || signal.aborted || JSON.stringify(ranges) === last) return
    last = JSON.stringify(ranges)
    onChange(ranges)
  }
  const changed = () => {
    if (!watching) return // the first list is what we know already
    clearTimeout(timer)
    timer = setTimeout(() => void again(), SETTLE_MS)
  }
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  const watch = async <T extends Watched>(resource: Resource, relevant: (object: T) => unknown) => {
    const seen = new Map<string, string>()
    const onObject = (key: string, object: T | undefined) => {
      // A node's status changes all the time; its ranges and addresses hardly ever.
      const text = object === undefined ? '' : JSON.stringify(relevant(object))
      if (seen.get(key) === text) return
      seen.set(key, text)
      changed()
    }
    await watchObjects<T>(cluster.api, { resource, signal, onObject }).catch(error => {
      if (!unavailable(error)) throw error
    })
  }
  await Promise.all([
    watch<Node>(NODES, node => [node.spec?.podCIDRs, node.status?.addresses]),
    watch<ServiceCidr>(SERVICE_CIDRS, range => range.spec?.cidrs)
  ])
  watching = true
}

async function serviceEvidence(
  cluster: Cluster,
  signal?: AbortSignal
): Promise<Pick<Evidence, 'serviceCidrs' | 'validServiceRange' | 'serviceAddresses'>> {
  const objects = await items<ServiceCidr>(cluster, { ...SERVICE_CIDRS, verb: 'list' }, signal)
  const serviceCidrs = (objects ?? []).map(({ metadata, spec }) => ({
    name: metadata?.name ?? '',
    cidrs: spec?.cidrs ?? []
  }))
  if (serviceCidrs.length > 0) return { serviceCidrs, validServiceRange: undefined, serviceAddresses: [] }
  const validServiceRange = await askValidRange(cluster, signal)
  if (validServiceRange !== undefined) return { serviceCidrs, validServiceRange, serviceAddresses: [] }
  const { found } = await sample<Service>(cluster, SERVICES, signal)
  const serviceAddresses = found
    .flatMap(({ spec }) => spec?.clusterIPs ?? spec?.clusterIP ?? [])
    .filter(address => address !== 'None' && address !== '')
  return { serviceCidrs, validServiceRange, serviceAddresses }
}

/** A Service with an impossible address, as a dry run: the refusal names the range. Wants only `create services` in the namespace. */
async function askValidRange({ api, namespace }: Cluster, signal?: AbortSignal): Promise<string | undefined> {
  const body = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { generateName: 'kt-range-' },
    spec: { clusterIP: IMPOSSIBLE_ADDRESS, ports: [{ port: 1 }] }
  }
  try {
    await api.call({ ...SERVICES, verb: 'create', namespace, query: { dryRun: 'All' }, body }, signal)
  } catch (error) {
    const cause = (error as Error).cause
    if (cause instanceof ApiStatus) return /range of valid IPs is ([\da-f.:/, ]+)/i.exec(cause.message)?.[1]?.trim()
    throw error
  }
  return undefined
}

async function podEvidence(
  cluster: Cluster,
  signal?: AbortSignal
): Promise<Pick<Evidence, 'nodes' | 'podAddresses' | 'hostAddresses' | 'seenIn'>> {
  const [nodes, pods] = await Promise.all([
    items<Node>(cluster, { ...NODES, verb: 'list' }, signal),
    sample<Pod>(cluster, PODS, signal)
  ])
  const alive = pods.found.filter(
    ({ metadata, status }) =>
      !metadata?.deletionTimestamp && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
  )
  const inPods = alive.filter(({ spec }) => spec?.hostNetwork !== true)
  const hosts = pods.found.flatMap(({ spec, status }) => [
    ...(status?.hostIPs ?? []).flatMap(({ ip }) => ip ?? []),
    ...(status?.hostIP ? [status.hostIP] : []),
    ...(spec?.hostNetwork === true ? addressesOfPod(status) : [])
  ])
  return {
    nodes: (nodes ?? []).map(nodeEvidence),
    podAddresses: inPods.flatMap(({ status }) => addressesOfPod(status)),
    hostAddresses: [...new Set(hosts.map(canonical))].filter(address => address !== ''),
    seenIn: pods.where
  }
}

function nodeEvidence({ metadata, spec, status }: Node): Evidence['nodes'][number] {
  const addresses = (status?.addresses ?? []).map(({ address }) => canonical(address)).filter(address => address !== '') // without host names
  return { name: metadata?.name ?? '', podCidrs: spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []), addresses }
}

function addressesOfPod(status: Pod['status']): string[] {
  return (status?.podIPs ?? []).flatMap(({ ip }) => (ip === undefined || ip === '' ? [] : canonical(ip)))
}

/** Addresses are compared as text, so there must be one spelling. */
function canonical(address: string): string {
  const cidr = parseCidr(address)
  return cidr === undefined ? '' : formatCidr(cidr).replace(/\/\d+$/, '')
}

/** The whole cluster if that is allowed, else the namespace, else nothing. */
async function sample<T>(
  cluster: Cluster,
  resource: Resource,
  signal?: AbortSignal
): Promise<{ found: T[]; where: string }> {
  const query = { limit: String(SAMPLE) }
  const everywhere = await items<T>(cluster, { ...resource, verb: 'list', query }, signal)
  if (everywhere !== undefined) return { found: everywhere, where: 'the cluster' }
  const here = await items<T>(cluster, { ...resource, verb: 'list', namespace: cluster.namespace, query }, signal)
  return { found: here ?? [], where: `namespace ${cluster.namespace}` }
}

/** Undefined: not for us, or not in this version of Kubernetes. */
async function items<T>({ api }: Cluster, request: Request, signal?: AbortSignal): Promise<T[] | undefined> {
  try {
    return (await api.call<{ items?: T[] }>(request, signal)).items ?? []
  } catch (error) {
    if (unavailable(error)) return undefined
    throw error
  }
}

/** What the carrier itself needs: through the TUN it would run into itself. */
export async function carrierAddresses({
  server,
  proxy,
  jumpAddresses
}: Pick<Cluster, 'server' | 'proxy' | 'jumpAddresses'>): Promise<Evidence['serverAddresses']> {
  const isJump = jumpAddresses.length > 0 // its name may mean something in the cluster by now
  const [ofServer, ofProxy] = await Promise.all([
    resolved(server),
    isJump ? jumpAddresses.map(canonical) : proxy === undefined ? [] : resolved(proxy)
  ])
  return [
    ...ofServer.map(address => ({ address, reason: 'the API server' })),
    ...ofProxy.map(address => ({ address, reason: `the ${isJump ? 'jump host' : 'proxy'} before the API server` }))
  ]
}

async function resolved(url: URL): Promise<string[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host)) return [canonical(host)]
  const found = await lookup(host, { all: true }).catch(() => []) // behind a proxy its name may be unknown here
  return [...new Set(found.map(({ address }) => canonical(address)))].filter(address => address !== '')
}
