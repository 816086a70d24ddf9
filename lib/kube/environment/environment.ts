// The environment that a container of the cluster gets: ConfigMaps, Secrets, fields and resources, resolved as the kubelet does.
import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, ConfigMap, Node, Pod } from '../api/client.ts'
import { CONFIG_MAPS, NODES, SECRETS } from '../api/resource.ts'
import { expand } from './expand.ts'
import { divided } from './quantity.ts'

export interface Environment {
  pod: string
  container: string
  /** In the order in which they are set. */
  variables: Record<string, string>
  /** What could not be found out here, one line each. */
  notes: string[]
}

type Container = NonNullable<Pod['spec']>['containers'][number]
type Variable = NonNullable<Container['env']>[number]
type Source = NonNullable<Variable['valueFrom']>

/** What kubectl takes when no container is named. */
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container'

/** Read the environment of a pod's container; throws KtError when something that is not optional is missing or may not be read. */
export async function environmentOf(
  cluster: Cluster,
  pod: Pod,
  name: string | undefined,
  signal?: AbortSignal
): Promise<Environment> {
  const container = chooseContainer(pod, name)
  const reader = new Reader(cluster, pod, container, signal)
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const from = configMapRef === undefined ? secretRef : configMapRef
    const data = await reader.data(configMapRef === undefined ? 'secret' : 'configmap', from?.name, from?.optional)
    for (const [key, value] of Object.entries(data ?? {})) reader.set(prefix + key, value)
  }
  for (const variable of container.env ?? []) {
    const value = await reader.valueOf(variable)
    if (value !== undefined) reader.set(variable.name, value)
  }
  return {
    pod: pod.metadata?.name ?? '',
    container: container.name,
    variables: Object.fromEntries(reader.variables),
    notes: reader.notes
  }
}

function chooseContainer({ metadata, spec }: Pod, wanted: string | undefined): Container {
  const containers = spec?.containers ?? []
  const name = wanted ?? metadata?.annotations?.[DEFAULT_CONTAINER] ?? containers[0]?.name
  const found = containers.find(container => container.name === name)
  if (found !== undefined) return found
  throw new KtError('KT_NOT_FOUND', `pod ${metadata?.name} has no container "${name}"`, {
    hint: `it has: ${containers.map(container => container.name).join(', ')}`
  })
}

class Reader {
  readonly variables = new Map<string, string>()
  readonly notes: string[] = []
  readonly #cluster: Cluster
  readonly #pod: Pod
  readonly #container: Container
  readonly #signal: AbortSignal | undefined
  readonly #read = new Map<string, Promise<Record<string, string> | undefined>>()

  constructor(cluster: Cluster, pod: Pod, container: Container, signal: AbortSignal | undefined) {
    this.#cluster = cluster
    this.#pod = pod
    this.#container = container
    this.#signal = signal
  }

  set(name: string, value: string): void {
    this.variables.set(name, value)
  }

  /** Undefined: it is not set, as in the container, or it cannot be known here, which a note says. */
  async valueOf({ name, value, valueFrom }: Variable): Promise<string | undefined> {
    if (valueFrom === undefined) return expand(value ?? '', known => this.variables.get(known))
    const { configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef } = valueFrom
    if (configMapKeyRef !== undefined) return await this.#key('configmap', configMapKeyRef)
    if (secretKeyRef !== undefined) return await this.#key('secret', secretKeyRef)
    const found =
      fieldRef !== undefined
        ? fieldOf(this.#pod, fieldRef.fieldPath)
        : resourceFieldRef !== undefined
          ? await this.#resource(resourceFieldRef)
          : undefined
    if (found === undefined) this.notes.push(`${name} cannot be known here: ${JSON.stringify(valueFrom)}`)
    return found
  }

  /** All keys of a ConfigMap or Secret as text; undefined for an optional one that is not there. */
  async data(
    kind: 'configmap' | 'secret',
    name: string | undefined,
    optional: boolean | undefined
  ): Promise<Record<string, string> | undefined> {
    const key = `${kind}/${name}`
    const reading = this.#read.get(key) ?? this.#fetch(kind, name ?? '')
    this.#read.set(key, reading)
    const data = await reading
    if (data === undefined && optional !== true)
      throw new KtError('KT_NOT_FOUND', `there is no ${kind} "${name}" in namespace ${this.#cluster.namespace}`, {
        hint: 'the pod itself could not start without it'
      })
    return data
  }

  async #fetch(kind: 'configmap' | 'secret', name: string): Promise<Record<string, string> | undefined> {
    const { api, namespace } = this.#cluster
    const resource = kind === 'configmap' ? CONFIG_MAPS : SECRETS
    try {
      const { data = {} } = await api.call<ConfigMap>({ ...resource, verb: 'get', namespace, name }, this.#signal)
      if (kind === 'configmap') return data
      return Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v, 'base64').toString('utf8')]))
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  }

  async #key(
    kind: 'configmap' | 'secret',
    { name, key, optional }: { name?: string; key: string; optional?: boolean }
  ): Promise<string | undefined> {
    const value = (await this.data(kind, name, optional))?.[key]
    if (value === undefined && optional !== true)
      throw new KtError('KT_NOT_FOUND', `${kind} "${name}" has no key "${key}"`, {
        hint: 'the pod itself could not start without it'
      })
    return value
  }

  async #resource({
    containerName,
    resource,
    divisor
  }: NonNullable<Source['resourceFieldRef']>): Promise<string | undefined> {
    const own = containerName ?? this.#container.name
    const container = this.#pod.spec?.containers.find(({ name }) => name === own)
    const [part, ...rest] = resource.split('.')
    const key = rest.join('.')
    const { requests, limits } = container?.resources ?? {}
    // Without a limit the container may have all of the node; without a request, nothing is asked for.
    const quantity =
      part === 'requests'
        ? (requests?.[key] ?? limits?.[key] ?? '0')
        : (limits?.[key] ?? (await this.#allocatable(key)))
    return quantity === undefined ? undefined : divided(quantity, divisor ?? '1')
  }

  async #allocatable(key: string): Promise<string | undefined> {
    const name = this.#pod.spec?.nodeName
    if (name === undefined) return undefined
    const node = await this.#cluster.api
      .call<Node>({ ...NODES, verb: 'get', name }, this.#signal)
      .catch(() => undefined) // nodes are seldom ours to see
    return node?.status?.allocatable?.[key]
  }
}

/** What the downward API gives to an environment. */
function fieldOf({ metadata, spec, status }: Pod, path: string): string | undefined {
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? []
  if (key !== undefined) return (map === 'labels' ? metadata?.labels : metadata?.annotations)?.[key] ?? ''
  switch (path) {
    case 'metadata.name':
      return metadata?.name
    case 'metadata.namespace':
      return metadata?.namespace
    case 'metadata.uid':
      return metadata?.uid
    case 'spec.nodeName':
      return spec?.nodeName
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName
    case 'status.hostIP':
      return status?.hostIP
    case 'status.hostIPs':
      return status?.hostIPs?.map(({ ip }) => ip).join(',')
    case 'status.podIP':
      return status?.podIP
    case 'status.podIPs':
      return status?.podIPs?.map(({ ip }) => ip).join(',')
    default:
      return undefined
  }
}
