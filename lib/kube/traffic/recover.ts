// Undoing an exchange from the objects alone, whoever made it and in whatever state he left it: ours and kt-connect's.
import { KtError } from '../../errors.ts'
import { unavailable } from '../api/api.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, ConfigMap, Pod, Service } from '../api/client.ts'
import { CONFIG_MAPS, PODS, SERVICES } from '../api/resource.ts'
import { endMesh, meshedServices, meshTrace } from '../mesh/recover.ts'
import { CONFIG_ANNOTATION, CONTROL_LABEL, EXCHANGE_KEY, ROLE_LABEL, stuntmanName } from '../names.ts'
import { removePod } from '../shadow/remove-pod.ts'
import { changeService } from './change-service.ts'
import { deleteService, settled } from './exchange.ts'
import { type ExchangeState, exchangeState, originalSelector, restorePatch } from './exchange-plan.ts'
import { type Replicas, readReplicas, scaleBack, untilReady, workloadName } from './scale.ts'
import { servicesOf } from './target.ts'

/** Pods that were scaled back may take this long until they are ready, seconds; then they are not waited for any more. */
const READY_SECONDS = 120

/** Everything in the namespace that kt or kt-connect has made and that is not on its way out, and all services, which they may have changed. */
export interface Remains {
  services: Service[]
  pods: Pod[]
  configMaps: ConfigMap[]
}

export async function findRemains({ api, namespace }: Cluster, signal?: AbortSignal): Promise<Remains> {
  const labelled = { labelSelector: `${CONTROL_LABEL}=kt` }
  const [services, pods, configMaps] = await Promise.all([
    api.call<{ items: Service[] }>({ ...SERVICES, verb: 'list', namespace }, signal),
    api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query: labelled }, signal),
    api
      .call<{ items: ConfigMap[] }>({ ...CONFIG_MAPS, verb: 'list', namespace, query: labelled }, signal)
      .catch((error: unknown) => {
        if (!unavailable(error)) throw error // ours belong to their pods and go with them
        return { items: [] }
      })
  ])
  const staying = pods.items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
  return { services: services.items, pods: staying, configMaps: configMaps.items }
}

/** A field of `kt-config`: `service=web,mode=narrow`. */
export function configOf({ metadata }: { metadata?: Pod['metadata'] }, field: string): string | undefined {
  for (const part of (metadata?.annotations?.[CONFIG_ANNOTATION] ?? '').split(',')) {
    const [key, value] = part.split('=')
    if (key === field && value) return value
  }
  return undefined
}

/** Names of the services of a namespace that an exchange or a mesh has changed, or whose helpers are still there. */
export function changedServices(remains: Remains): string[] {
  const names = new Set<string>(meshedServices(remains))
  for (const service of remains.services) if (isChanged(service)) names.add(service.metadata?.name ?? '')
  for (const { metadata } of remains.services.filter(isOwn)) {
    const original = /^(.+)-kt-stuntman$/.exec(metadata?.name ?? '')?.[1]
    if (original !== undefined) names.add(configOf({ metadata }, 'service') ?? original)
  }
  for (const pod of remains.pods) for (const name of servicesBehind(pod, remains.services)) names.add(name)
  return [...names].sort((a, b) => a.localeCompare(b))
}

/** The services that a shadow of an exchange or a router was made for. kt-connect's shadow of a Deployment names only that. */
export function servicesBehind(pod: Pod, services: readonly Service[]): string[] {
  if (!/-kt-exchange-|-kt-router$/.test(pod.metadata?.name ?? '')) return []
  const name = configOf(pod, 'service')
  if (name !== undefined) return [name]
  const workload = scaledBy(pod)?.name
  if (workload === undefined) return []
  const served = servicesOf(pod.metadata?.labels ?? {}, services).map(({ metadata }) => metadata?.name ?? '')
  return served.length > 0 ? served : [workload]
}

/** The workload that was taken to 0 for it. */
export function scaledBy(made: { metadata?: Pod['metadata'] }): Replicas | undefined {
  return readReplicas(field => configOf(made, field))
}

/** Made by kt: a stuntman, a preview, a service of a mesh. */
const isOwn = ({ metadata }: Service): boolean => metadata?.labels?.[CONTROL_LABEL] === 'kt'

/** A user's service with something of kt in it. */
const isChanged = (service: Service): boolean => !isOwn(service) && restorePatch(service) !== undefined

/**
 * Put one service back: its selector first, then what was made for it. One line for each thing done; none if there was nothing.
 * Throws KT_NOT_FOUND when there is neither a service nor anything of kt by that name.
 */
export async function recoverService(
  cluster: Cluster,
  name: string,
  remains: Remains,
  signal?: AbortSignal
): Promise<string[]> {
  const trace = meshTrace(name, remains)
  if (trace !== undefined) return await endMesh(cluster, trace, remains)
  const done: string[] = []
  const names = together(name, remains)
  const services = remains.services.filter(({ metadata }) => names.includes(metadata?.name ?? ''))
  const pods = remains.pods.filter(pod => names.some(each => belongs(pod, each, remains)))
  const helpers = remains.services.filter(service => names.some(each => isHelper(service, each)))
  if (services.length + pods.length + helpers.length === 0)
    throw new KtError('KT_NOT_FOUND', `there is no service "${name}" in namespace ${cluster.namespace}`, {
      hint: 'another namespace is chosen with --namespace'
    })
  // The originals first: whoever comes while they start is still served by the shadow.
  done.push(...(await scaleAllBack(cluster, [...helpers, ...pods], signal)))
  for (const service of services.filter(isChanged)) {
    const after = await changeService(cluster, service.metadata?.name ?? '', restorePatch, signal)
    const selector = Object.entries(originalSelector(after)).map(([key, value]) => `${key}=${value}`)
    done.push(`Original service ${service.metadata?.name} recovered: selects ${selector.join(', ')}`)
  }
  await retire(cluster, services, pods)
  for (const { metadata } of helpers) {
    const helper = metadata?.name ?? ''
    await deleteService(cluster, helper)
    done.push(`${helper.endsWith('-kt-stuntman') ? 'Stuntman service' : 'Service'} ${helper} removed`)
  }
  for (const pod of pods) done.push(...(await removePod(cluster, pod.metadata?.name ?? '')))
  return done
}

/** This service, and those that one exchange has taken together with it, because they lead to the same pods. */
function together(name: string, { services, pods }: Remains): string[] {
  const service = services.find(({ metadata }) => metadata?.name === name)
  if (service === undefined) return [name]
  const original = { ...service, spec: { ...service.spec, selector: originalSelector(service) } }
  const shadows = pods.filter(
    ({ metadata }) =>
      metadata?.labels?.[ROLE_LABEL] === 'shadow-exchange' && servicesOf(metadata.labels, [original]).length > 0
  )
  const tokens = new Set(shadows.map(({ metadata }) => metadata?.labels?.[EXCHANGE_KEY]))
  tokens.add(service.spec?.selector?.[EXCHANGE_KEY])
  tokens.delete(undefined)
  const others = services.filter(({ spec }) => tokens.has(spec?.selector?.[EXCHANGE_KEY]))
  const named = [...others.map(({ metadata }) => metadata?.name), ...shadows.map(pod => configOf(pod, 'service'))]
  return [...new Set([name, ...named.filter(other => other !== undefined)])]
}

/** Does the pod stand behind the service: by its `kt-config`, by what an old selector points at, or by kt-connect's names? */
function belongs(pod: Pod, name: string, { services }: Remains): boolean {
  const service = services.find(({ metadata }) => metadata?.name === name)
  const state: ExchangeState = service === undefined ? { kind: 'plain' } : exchangeState(service)
  if (state.kind === 'kt-connect' && state.target !== '' && pod.metadata?.labels?.['kt-target'] === state.target)
    return true
  const names = new RegExp(`^${name.replaceAll('.', '\\.')}-kt-(exchange-[a-z]{5}|mesh-.+|router)$`)
  return names.test(pod.metadata?.name ?? '') || servicesBehind(pod, services).includes(name)
}

function isHelper(service: Service, name: string): boolean {
  const own = service.metadata?.name ?? ''
  return isOwn(service) && (own === stuntmanName(name) || own.startsWith(`${name}-kt-mesh-`))
}

/** What was taken to 0 gets its pods again, and they are waited for. Written down twice, it counts once. */
async function scaleAllBack(
  cluster: Cluster,
  made: readonly { metadata?: Pod['metadata'] }[],
  signal?: AbortSignal
): Promise<string[]> {
  const scaled = new Map<string, Replicas>()
  for (const was of made.map(scaledBy))
    if (was !== undefined && !scaled.has(workloadName(was))) scaled.set(workloadName(was), was)
  const done: string[] = []
  for (const [workload, was] of scaled) {
    const now = await scaleBack(cluster, was)
    if (now === undefined || now.replicas === 0) continue
    const limit = AbortSignal.any([
      AbortSignal.timeout(READY_SECONDS * 1000),
      ...(signal === undefined ? [] : [signal])
    ])
    const ready = await untilReady(cluster, now.selector, now.replicas, limit)
    if (now.changed) done.push(`${workload} scaled back to ${now.replicas}, ${ready} ready`)
  }
  return done
}

/** Take the shadows out of the services again, and give the nodes time to hear of it: then they may end. */
async function retire(cluster: Cluster, services: Service[], pods: Pod[]): Promise<void> {
  const { api, namespace } = cluster
  const keys = services
    .filter(service => exchangeState(service).kind !== 'kt-connect') // its pods go by nothing else
    .flatMap(service => Object.keys(originalSelector(service)))
  const labels = Object.fromEntries(keys.map(key => [key, null]))
  const shadows = pods.filter(({ metadata }) => keys.some(key => metadata?.labels?.[key] !== undefined))
  for (const { metadata } of shadows) {
    const name = metadata?.name ?? ''
    await api.call({ ...PODS, verb: 'patch', namespace, name, body: { metadata: { labels } } }).catch(goneIsGood)
  }
  if (pods.length > 0) await settled()
}

function goneIsGood(error: unknown): void {
  if (statusOf(error) !== 404) throw error
}
