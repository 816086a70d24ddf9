// The objects of one exchange: its stuntman, the diverted Service, and the way back.
import { setTimeout as sleep } from 'node:timers/promises'

import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Pod, Service } from '../api/client.ts'
import { PODS, SERVICES } from '../api/resource.ts'
import { demandNotMeshed } from '../mesh/service.ts'
import {
  CONFIG_ANNOTATION,
  CONTROL_LABEL,
  EXCHANGE_KEY,
  HEARTBEAT_ANNOTATION,
  MESH_KEY,
  ROLE_LABEL,
  randomSuffix,
  stuntmanName
} from '../names.ts'
import { changeService } from './change-service.ts'
import {
  chooseMode,
  divertPatch,
  exchangeState,
  originalSelector,
  restorePatch,
  type SelectorMode
} from './exchange-plan.ts'
import { describeOwner, isOurs, now, type Owner, ownerOf, SILENT_SECONDS } from './owner.ts'

/** Every node has heard of a changed endpoint after this: ≤ 100 ms as measured, but kube-proxy takes up several changes once a second. */
const SETTLE_MS = 1_500
/** The controller of the endpoints has heard of a shadow's labels and readiness after this; the selector must not be faster. */
const DRESSED_MS = 300

/** What was found before anything is changed. */
export interface Diverting {
  service: string
  mode: SelectorMode
  /** Why the selector is replaced; empty when it is narrowed. */
  reason: string
  selector: Record<string, string>
  /** Value of the extra key. */
  token: string
  headless: boolean
  /** The pods behind the service now. */
  pods: Pod[]
}

/** Who holds a service, if anybody does. */
export async function holderOf(cluster: Cluster, service: Service, signal?: AbortSignal): Promise<Owner | undefined> {
  const stuntman = await getService(cluster, stuntmanName(service.metadata?.name ?? ''), signal)
  // Made first and removed last: the stuntman alone is somebody who is just beginning, or what he left.
  const { kind } = exchangeState(service)
  if (kind === 'plain') {
    const [shadow] = stuntman === undefined ? await shadowsBehind(cluster, service, 'shadow-exchange', signal) : []
    const made = stuntman ?? shadow
    return made === undefined ? undefined : ownerOf(made.metadata?.annotations)
  }
  if (kind === 'kt-connect') {
    const [shadow] = await shadowsBehind(cluster, service, undefined, signal)
    return ownerOf({ ...shadow?.metadata?.annotations, ...service.metadata?.annotations })
  }
  // The Service says who, its stuntman how long ago: a heartbeat there does not touch the user's object.
  const { silentSeconds } = ownerOf(stuntman?.metadata?.annotations)
  return { ...ownerOf(service.metadata?.annotations), silentSeconds }
}

/** Pods of kt or kt-connect that the service selects: also where it has not been changed, by kt-connect's scaling, or when another service leads to the same workload. */
async function shadowsBehind(
  { api, namespace }: Cluster,
  service: Service,
  role: string | undefined,
  signal?: AbortSignal
): Promise<Pod[]> {
  const selector = originalSelector(service)
  if (Object.keys(selector).length === 0) return []
  const labels = { ...selector, [CONTROL_LABEL]: 'kt', ...(role === undefined ? {} : { [ROLE_LABEL]: role }) }
  const query = { labelSelector: labelQuery(labels) }
  const { items } = await api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query }, signal)
  return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
}

const labelQuery = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

/** May this exchange begin? Throws KtError with whoever is in the way; true when something stale has to be undone first. */
export async function demandFree(
  cluster: Cluster,
  service: Service,
  { takeover, lives, signal }: { takeover: boolean; lives(process: string): boolean; signal: AbortSignal }
): Promise<boolean> {
  const holder = await holderOf(cluster, service, signal)
  if (holder === undefined) return false
  await demandNotMeshed(cluster, service, signal)
  demandNotKtConnect(service, holder)
  const name = service.metadata?.name ?? ''
  if (isOurs(holder) && !lives(holder.process)) return true // our own, left by a process that is dead
  if (takeover && holder.silentSeconds >= SILENT_SECONDS) return true
  throw new KtError('KT_CONFLICT', `service '${name}' is already exchanged by ${describeOwner(holder)}`, {
    hint: takeover
      ? `--takeover works once they have been silent for ${SILENT_SECONDS} s; kt recover ${name} ends it now`
      : `--takeover takes it once they have been silent for ${SILENT_SECONDS} s`
  })
}

/** Throws KT_CONFLICT for what kt-connect holds, or was about to change when it ended. */
export function demandNotKtConnect(service: Service, holder: Owner): void {
  const { kind } = exchangeState(service)
  // Only kt names its process; a service that is as it was may still have kt-connect's helpers or a pod of its behind it.
  if (kind !== 'kt-connect' && (kind !== 'plain' || holder.process !== '')) return
  const name = service.metadata?.name ?? ''
  throw new KtError('KT_CONFLICT', `service '${name}' is held by kt-connect (${holder.user})`, {
    hint: `ask them to end it; kt recover ${name} puts the service back from kt-connect's own annotations`
  })
}

/** Look at everything that decides how the service is diverted. Throws KtError for a service that cannot be. */
export async function planDiversion(
  cluster: Cluster,
  service: Service,
  signal?: AbortSignal,
  shadow: { adoptable?: boolean } = {}
): Promise<Diverting> {
  const { api, namespace } = cluster
  const name = service.metadata?.name ?? ''
  if (service.spec?.type === 'ExternalName')
    throw new KtError('KT_USAGE', `service ${name} is an ExternalName: it has no pods to stand in for`, {
      hint: `it is a name for ${service.spec.externalName ?? 'another host'}`
    })
  const selector = originalSelector(service)
  if (Object.keys(selector).length === 0)
    throw new KtError('KT_USAGE', `service ${name} has no selector: its endpoints are set by hand`, {
      hint: 'kt works by the selector; give the service one, or preview beside it'
    })
  const labelSelector = labelQuery(selector)
  const [pods, services] = await Promise.all([
    api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query: { labelSelector } }, signal),
    api.call<{ items: Service[] }>({ ...SERVICES, verb: 'list', namespace }, signal)
  ])
  const own = pods.items.filter(
    ({ metadata }) => metadata?.labels?.[CONTROL_LABEL] !== 'kt' && metadata?.labels?.[MESH_KEY] === undefined
  )
  return {
    service: name,
    ...chooseMode(service, own, services.items, shadow),
    selector,
    token: randomSuffix(),
    headless: service.spec?.clusterIP === 'None',
    pods: own
  }
}

/**
 * `<svc>-kt-stuntman`: a headless service with the original selector, by which the agent finds the original pods. Not to be
 * interrupted: who does not wait for the answer does not know what to remove. `config` are further fields of its `kt-config`.
 */
export async function createStuntman(
  { api, namespace }: Cluster,
  service: Service,
  annotations: Record<string, string>,
  config = ''
): Promise<string> {
  const original = service.metadata?.name ?? ''
  const name = stuntmanName(original)
  const { ipFamilies, ipFamilyPolicy, ports = [], publishNotReadyAddresses } = service.spec ?? {}
  const body: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      labels: { [CONTROL_LABEL]: 'kt', [ROLE_LABEL]: 'stuntman' },
      annotations: { ...annotations, [CONFIG_ANNOTATION]: joinFields(`service=${original}`, config) }
    },
    spec: {
      clusterIP: 'None',
      selector: originalSelector(service),
      ...(ipFamilies === undefined ? {} : { ipFamilies }),
      ...(ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy }),
      ...(publishNotReadyAddresses === undefined ? {} : { publishNotReadyAddresses }),
      ports: ports.map(({ nodePort: _node, appProtocol: _app, ...port }) => port)
    }
  }
  await api.call({ ...SERVICES, verb: 'create', namespace, body }).catch((cause: unknown) => {
    if (statusOf(cause) !== 409) throw cause
    throw new KtError('KT_CONFLICT', `somebody else has just begun to exchange or mesh service '${original}'`, {
      cause
    })
  })
  return name
}

const joinFields = (...fields: string[]): string => fields.filter(field => field !== '').join(',')

/** Is the stuntman still ours, and nobody else's who has taken the service over? `process` as in our owner annotations. */
export async function holdsStuntman(cluster: Cluster, name: string, process: string): Promise<boolean> {
  const stuntman = await getService(cluster, name)
  return stuntman !== undefined && ownerOf(stuntman.metadata?.annotations).process === process
}

/** Delete the stuntman, except that of somebody else who has taken the service over. */
export async function deleteStuntman(cluster: Cluster, name: string, process: string): Promise<void> {
  if (await holdsStuntman(cluster, name, process)) await deleteService(cluster, name)
}

/** Tell the cluster that the exchange is alive. */
export async function beatService({ api, namespace }: Cluster, name: string): Promise<void> {
  const body = { metadata: { annotations: { [HEARTBEAT_ANNOTATION]: now() } } }
  await api.call({ ...SERVICES, verb: 'patch', namespace, name, body })
}

/** Lead the service to the shadow: one conditional write. Throws KT_CONFLICT when somebody else was faster. */
export async function divert(
  cluster: Cluster,
  { service, mode, token }: Diverting,
  annotations: Record<string, string>,
  signal?: AbortSignal
): Promise<Service> {
  return await changeService(
    cluster,
    service,
    current => {
      const state = exchangeState(current)
      if (state.kind === 'kt-connect' || (state.kind === 'exchanged' && state.token !== token))
        throw new KtError(
          'KT_CONFLICT',
          `service '${service}' has just been exchanged by ${ownerOf(current.metadata?.annotations).user}`
        )
      return divertPatch(current, { mode, token, annotations })
    },
    signal
  )
}

/** Undo our diversion; what somebody else has made of the service since then is left alone. False: there was nothing of ours. */
export async function restore(cluster: Cluster, name: string, token: string): Promise<boolean> {
  let ours = false
  try {
    await changeService(cluster, name, current => {
      const state = exchangeState(current)
      ours = state.kind === 'exchanged' && state.token === token
      const remains = state.kind === 'plain' && current.metadata?.labels?.['kt-exchange'] === token
      return ours || remains ? restorePatch(current) : undefined
    })
  } catch (error) {
    if (statusOf(error) !== 404) throw error // the service has been deleted: nothing to put back
  }
  return ours
}

/** Delete a service; gone already is as good. */
export async function deleteService({ api, namespace }: Cluster, name: string): Promise<void> {
  await api.call({ ...SERVICES, verb: 'delete', namespace, name }).catch((error: unknown) => {
    if (statusOf(error) !== 404) throw error
  })
}

/** Undefined when there is none by that name. */
export async function getService(
  { api, namespace }: Cluster,
  name: string,
  signal?: AbortSignal
): Promise<Service | undefined> {
  try {
    return await api.call<Service>({ ...SERVICES, verb: 'get', namespace, name }, signal)
  } catch (error) {
    if (statusOf(error) !== 404) throw error
    return undefined
  }
}

/** Narrowed, the service asks for its own labels too: the shadows wear them from now on, and the service sends to them as well. */
export async function dressShadows(cluster: Cluster, { mode, selector, token }: Diverting): Promise<void> {
  if (mode === 'narrow') await labelShadows(cluster, token, selector)
  await sleep(DRESSED_MS)
}

/**
 * Take the shadows out of the service they still stand in, before they end: an endpoint that is gone before the last node has
 * heard of it costs callers a connection.
 */
export async function retireShadows(
  cluster: Cluster,
  { mode, selector, token }: Pick<Diverting, 'mode' | 'selector' | 'token'>
): Promise<void> {
  const labels = Object.fromEntries(Object.keys(selector).map(key => [key, null]))
  if (mode === 'narrow') await labelShadows(cluster, token, labels)
  await settled()
}

/** Every node has heard of the endpoints as they are now. */
export async function settled(): Promise<void> {
  await sleep(SETTLE_MS)
}

/** The diversion follows a selector that somebody has changed meanwhile: the stuntman learns it. */
export async function followSelector(
  { api, namespace }: Cluster,
  { service, selector }: Pick<Diverting, 'service' | 'selector'>,
  wanted: Record<string, string>
): Promise<void> {
  const gone = Object.fromEntries(Object.keys(selector).map(key => [key, null]))
  const body = { spec: { selector: { ...gone, ...wanted } } }
  await api.call({ ...SERVICES, verb: 'patch', namespace, name: stuntmanName(service), body })
}

async function labelShadows(
  { api, namespace }: Cluster,
  token: string,
  labels: Record<string, string | null>
): Promise<void> {
  const query = { labelSelector: `${EXCHANGE_KEY}=${token}` }
  const { items } = await api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query })
  for (const { metadata } of items) {
    const name = metadata?.name ?? ''
    await api.call({ ...PODS, verb: 'patch', namespace, name, body: { metadata: { labels } } })
  }
}
