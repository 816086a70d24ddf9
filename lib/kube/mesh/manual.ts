// The objects of a mesh by hand: two services for one shadow, and the rules of somebody else who leads requests to it.
import { KtError } from '../../errors.ts'
import { unavailable } from '../api/api.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Pod, Service } from '../api/client.ts'
import { type Resource, SERVICES } from '../api/resource.ts'
import { CONFIG_ANNOTATION, CONTROL_LABEL, ROLE_LABEL, TARGET_LABEL } from '../names.ts'
import { originalSelector } from '../traffic/exchange-plan.ts'
import type { Flavour, RuleObject } from './rules.ts'

const ISTIO = { group: 'networking.istio.io', version: 'v1' }
const GATEWAY = { group: 'gateway.networking.k8s.io', version: 'v1' }
const KINDS: Record<string, Resource> = {
  VirtualService: { ...ISTIO, resource: 'virtualservices' },
  DestinationRule: { ...ISTIO, resource: 'destinationrules' },
  HTTPRoute: { ...GATEWAY, resource: 'httproutes' }
}

/** Which of them the cluster has, the more usual one first. Discovery is open to everybody. */
export async function findFlavours({ api }: Cluster, signal?: AbortSignal): Promise<Flavour[]> {
  const has = async ({ group, version }: typeof ISTIO): Promise<boolean> => {
    try {
      await api.call({ group, version, resource: '', verb: 'get' }, signal)
      return true
    } catch (error) {
      if (!unavailable(error)) throw error
      return false
    }
  }
  const [istio, gateway] = await Promise.all([has(ISTIO), has(GATEWAY)])
  return [...(istio ? (['istio'] as const) : []), ...(gateway ? (['gateway'] as const) : [])]
}

/** What a workload's own controllers write, and nobody else may wear. */
const OF_CONTROLLERS =
  /^(pod-template-hash|controller-revision-hash|pod-template-generation|statefulset\.kubernetes\.io\/.*|apps\.kubernetes\.io\/.*|.*job-name|.*controller-uid)$/

/** The labels that all pods behind the service have in common. */
export function commonLabels(pods: readonly Pod[]): Record<string, string> {
  const [first, ...others] = pods.map(({ metadata }) => metadata?.labels ?? {})
  const common = Object.entries(first ?? {}).filter(
    ([key, value]) => !OF_CONTROLLERS.test(key) && others.every(labels => labels[key] === value)
  )
  return Object.fromEntries(common)
}

export interface ManualServices {
  service: Service
  /** Of the service that leads to the shadow alone. */
  name: string
  /** Of the headless one with the originals, where the shadow's agent finds them. */
  originals: string
  /** What only the shadow has. */
  token: string
  annotations: Record<string, string>
}

/** Make both; not to be interrupted. The uid of the first. Throws KT_CONFLICT when somebody has that version. */
export async function createManualServices(
  { api, namespace }: Cluster,
  { service, name, originals, token, annotations }: ManualServices
): Promise<string> {
  const config = `service=${service.metadata?.name}`
  const ports = (service.spec?.ports ?? []).map(({ nodePort: _node, ...port }) => port)
  const body = (name: string, spec: object): Service => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      labels: { [CONTROL_LABEL]: 'kt', [ROLE_LABEL]: 'shadow-mesh' },
      annotations: { ...annotations, [CONFIG_ANNOTATION]: config }
    },
    spec: { ports, ...spec }
  })
  const first = body(name, { selector: { [TARGET_LABEL]: token } })
  const second = body(originals, { clusterIP: 'None', selector: originalSelector(service) })
  const make = (each: Service): Promise<Service> =>
    api.call<Service>({ ...SERVICES, verb: 'create', namespace, body: each }).catch((cause: unknown) => {
      if (statusOf(cause) !== 409) throw cause
      throw new KtError('KT_CONFLICT', `there is a service '${each.metadata?.name}' already: that version is taken`, {
        hint: 'choose another --versionMark; kt clean removes what nobody keeps alive',
        cause
      })
    })
  const made = await make(first)
  await make(second).catch(async (error: unknown) => {
    await api.call({ ...SERVICES, verb: 'delete', namespace, name }) // half of it would be in the next one's way
    throw error
  })
  return made.metadata?.uid ?? ''
}

/** Throws KT_CONFLICT when the service has rules of somebody else, which ours would fight. */
export async function demandNoRules(
  { api, namespace }: Cluster,
  rules: readonly RuleObject[],
  service: string,
  signal?: AbortSignal
): Promise<void> {
  for (const { kind, metadata } of rules) {
    const { items } = await api.call<{ items: RuleObject[] }>({ ...KINDS[kind]!, verb: 'list', namespace }, signal)
    const other = items.find(item => item.metadata.name !== metadata.name && leads(item, service, namespace))
    if (other !== undefined)
      throw new KtError('KT_CONFLICT', `${kind} ${other.metadata.name} has rules for service '${service}' already`, {
        hint: 'leave out --apply, and add the rules that are printed to yours'
      })
  }
}

/** Write the rules; they go with `owner`, a Service, however that goes. */
export async function applyRules(
  { api, namespace }: Cluster,
  rules: readonly RuleObject[],
  owner: { name: string; uid: string }
): Promise<void> {
  for (const rule of rules) {
    const { name } = rule.metadata
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Service', ...owner }]
    const body = { ...rule, metadata: { ...rule.metadata, labels: { [CONTROL_LABEL]: 'kt' }, ownerReferences } }
    await api.call({ ...KINDS[rule.kind]!, verb: 'create', namespace, body }).catch((cause: unknown) => {
      if (statusOf(cause) !== 409) throw cause
      throw new KtError('KT_CONFLICT', `there is a ${rule.kind} '${name}' already`, { cause })
    })
  }
}

/** Rules that are gone already are as good. The last one first: requests go to the originals before their subsets are gone. */
export async function removeRules({ api, namespace }: Cluster, rules: readonly RuleObject[]): Promise<void> {
  for (const { kind, metadata } of rules.toReversed()) {
    const { name } = metadata
    await api.call({ ...KINDS[kind]!, verb: 'delete', namespace, name }).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
    })
  }
}

function leads({ spec }: RuleObject, service: string, namespace: string): boolean {
  const {
    hosts = [],
    host,
    parentRefs = []
  } = spec as {
    hosts?: string[]
    host?: string
    parentRefs?: { kind?: string; name?: string }[]
  }
  const names = [service, `${service}.${namespace}`, `${service}.${namespace}.svc.cluster.local`]
  return (
    [...hosts, host].some(each => each !== undefined && names.includes(each)) ||
    parentRefs.some(({ kind, name }) => kind === 'Service' && name === service)
  )
}
