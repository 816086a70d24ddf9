// TARGET of `kt forward`: a service, a pod, the pods of a workload, or any name or address that the agent can reach.
import { isIP } from 'node:net'
import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Pod, Service } from '../api/client.ts'
import { DEPLOYMENTS, PODS, type Resource, SERVICES, STATEFUL_SETS } from '../api/resource.ts'
import { describePorts, type Network, type ServicePort, servicePorts } from './ports.ts'
import { watchReadyPods } from './ready-pods.ts'
import { parseTarget, type Target } from './target.ts'

/** One pair as it was typed; `remote` is a number or a name. */
export interface ForwardPair {
  local: number | undefined
  remote: string
  network: Network
}

/** A local port and what it leads to. */
export interface ForwardedPort {
  network: Network
  local: number
  /** The port to dial. */
  port: number
  /** What the user calls it: the service's port, where the pods' own is dialled. */
  remote: number
}

export interface ForwardTarget {
  /** `service 'web'`: for messages. */
  description: string
  ports: ForwardedPort[]
  /** Name or address to dial at this moment; undefined: there is none. `domain` is the cluster's. */
  host(domain: string): string | undefined
}

const PORT_MAX = 65_535

/** `8080`, `8080:80`, `8080:http`, `http`, each with `/udp` behind it, comma separated. Throws KT_USAGE. */
export function parsePairs(texts: readonly string[]): ForwardPair[] {
  return texts
    .flatMap(text => text.split(','))
    .filter(text => text.trim() !== '')
    .map(text => {
      const [, pair = '', suffix] = /^(.*?)(?:\/(tcp|udp))?$/i.exec(text.trim()) ?? []
      const network = suffix?.toLowerCase() === 'udp' ? 'udp' : 'tcp'
      const [first = '', second, ...more] = pair.split(':')
      const local = portNumber(first)
      const remote = second ?? first
      const good = more.length === 0 && (second === undefined || local !== undefined) && isPortText(remote)
      if (good) return { local, remote, network }
      throw new KtError('KT_USAGE', `"${text}" is no pair of ports`, {
        hint: 'write 8080, or local:remote as in 9090:80 or 9090:http; /udp behind it for UDP'
      })
    })
}

/** Find the target and the ports. Throws KT_NOT_FOUND and KT_USAGE; a watch lives until `signal`. */
export async function findForwardTarget(
  cluster: Cluster,
  text: string,
  pairs: readonly ForwardPair[],
  signal: AbortSignal
): Promise<ForwardTarget> {
  const host = hostOf(text)
  if (host !== undefined) {
    const ports = pairs.map(pair => numbered(host, pair))
    if (ports.length === 0) throw missingPort(host, [])
    return { description: `host '${host}'`, ports, host: () => host }
  }
  const target = parseTarget(text)
  if (target.kind === 'service') return serviceTarget(cluster, target, pairs, signal)
  return podsTarget(cluster, target, pairs, signal)
}

/** What of the table of rights this target needs beside what is always needed. Throws KT_USAGE. */
export function forwardUse(text: string): string[] {
  return hostOf(text) === undefined ? [`${parseTarget(text).kind}/NAME`] : []
}

/** An address, a name with a dot, or `host/NAME`: whatever the agent can reach. */
function hostOf(text: string): string | undefined {
  const host = /^host\/(.+)$/i.exec(text)?.[1] ?? (text.includes('/') ? '' : text)
  if (isIP(host) !== 0) return host
  return /^[a-z0-9_][-a-z0-9_.]*$/i.test(host) && (host !== text || host.includes('.')) ? host : undefined
}

async function serviceTarget(
  cluster: Cluster,
  target: Target,
  pairs: readonly ForwardPair[],
  signal: AbortSignal
): Promise<ForwardTarget> {
  const { name } = target
  const service = await get<Service>(cluster, SERVICES, target, signal)
  const headless = service.spec?.clusterIP === 'None'
  const known = servicePorts(service, headless ? await podsOf(cluster, service, signal) : [])
  const description = `service '${name}'`
  const host = (domain: string): string => `${name}.${cluster.namespace}.svc.${domain}.`
  // An ExternalName need not have ports: a number is taken as it is.
  if (known.length === 0 && pairs.length > 0) {
    return { description, ports: pairs.map(pair => numbered(description, pair)), host }
  }
  return {
    description,
    host,
    // Nothing translates the ports of a headless service: its name leads to the pods themselves.
    ports: chosen(description, known, pairs).map(({ local, found }) => ({
      network: found.network,
      local,
      port: headless ? (found.containerPort ?? found.port) : found.port,
      remote: found.port
    }))
  }
}

async function podsOf({ api, namespace }: Cluster, { spec }: Service, signal: AbortSignal): Promise<Pod[]> {
  const labelSelector = selectorText({ matchLabels: spec?.selector ?? {} })
  const list = await api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query: { labelSelector } }, signal)
  return list.items
}

interface Workload {
  spec?: { selector?: Selector }
}

/** LabelSelector of apps/v1. */
interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

async function podsTarget(
  cluster: Cluster,
  target: Target,
  pairs: readonly ForwardPair[],
  signal: AbortSignal
): Promise<ForwardTarget> {
  const { kind, name } = target
  const resource = { pod: PODS, deployment: DEPLOYMENTS, statefulset: STATEFUL_SETS, service: SERVICES }[kind]
  const object = await get<Workload>(cluster, resource, target, signal)
  const query =
    kind === 'pod'
      ? { fieldSelector: `metadata.name=${name}` }
      : { labelSelector: selectorText(object.spec?.selector ?? {}) }
  const watched = await watchReadyPods(cluster, query, signal)
  const description = `${kind} '${name}'`
  const known = [...watched.pods.values()].slice(0, 1).flatMap(containerPorts)
  const open = pairs.every(({ remote }) => portNumber(remote) !== undefined) && pairs.length > 0
  // Pods need not declare their ports: a number is taken as it is.
  const ports = open ? pairs.map(pair => numbered(description, pair)) : chosen(description, known, pairs).map(dialled)
  return { description, ports, host: () => watched.address() }
}

function dialled({ local, found }: { local: number; found: ServicePort }): ForwardedPort {
  return { network: found.network, local, port: found.port, remote: found.port }
}

function containerPorts({ spec }: Pod): ServicePort[] {
  return (spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports.flatMap(({ name = '', containerPort: port, protocol = 'TCP' }) => {
      const network = ({ TCP: 'tcp', UDP: 'udp' } as const)[protocol]
      return network === undefined ? [] : [{ name, port, network, targetPort: port, containerPort: port }]
    })
  )
}

/** The port each pair means. One number that is no port of a target with a single one is the local port, as with kt-connect. */
function chosen(
  description: string,
  all: readonly ServicePort[],
  pairs: readonly ForwardPair[]
): { local: number; found: ServicePort }[] {
  const [only, ...others] = all
  if (pairs.length === 0) {
    if (only === undefined || others.length > 0) throw missingPort(description, all)
    return [{ local: only.port, found: only }]
  }
  return pairs.map(({ local, remote, network }) => {
    const ports = all.filter(port => port.network === network)
    const found =
      ports.find(({ port }) => String(port) === remote) ??
      ports.find(({ name }) => name === remote) ??
      ports.find(p => String(p.targetPort) === remote) ??
      (String(local) === remote && ports.length === 1 ? ports[0] : undefined)
    if (found !== undefined) return { local: local ?? found.port, found }
    const what = `no ${network.toUpperCase()} port ${remote}`
    throw new KtError('KT_USAGE', `${description} has ${what}; it has: ${describePorts(all) || 'none'}`)
  })
}

function numbered(description: string, { local, remote, network }: ForwardPair): ForwardedPort {
  const port = portNumber(remote)
  if (port !== undefined) return { network, local: local ?? port, port, remote: port }
  throw new KtError('KT_USAGE', `${description} has no names of ports: "${remote}" must be a number`)
}

function missingPort(description: string, ports: readonly ServicePort[]): KtError {
  const known = ports.length === 0 ? '' : `; it has: ${describePorts(ports)}`
  return new KtError('KT_USAGE', `which port of ${description}?${known}`, {
    hint: 'write [local:]remote behind the target, as in kt forward web 8080:80'
  })
}

async function get<T>(
  { api, namespace }: Cluster,
  resource: Resource,
  { kind, name }: Target,
  signal: AbortSignal
): Promise<T> {
  try {
    return await api.call<T>({ ...resource, verb: 'get', namespace, name }, signal)
  } catch (cause) {
    if (statusOf(cause) !== 404) throw cause
    throw new KtError('KT_NOT_FOUND', `there is no ${kind} "${name}" in namespace ${namespace}`, {
      hint: `kubectl -n ${namespace} get ${kind}s lists them; another namespace: --namespace, or ${name}.NAMESPACE`,
      cause
    })
  }
}

/** As the API takes it in a query. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: Selector): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key
    if (operator === 'DoesNotExist') return `!${key}`
    return `${key} ${operator.toLowerCase()} (${values.join(',')})`
  })
  return [...equal, ...expressions].join(',')
}

function isPortText(text: string): boolean {
  return /^\d+$/.test(text) ? portNumber(text) !== undefined : /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(text)
}

function portNumber(text: string): number | undefined {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return number >= 1 && number <= PORT_MAX ? number : undefined
}
