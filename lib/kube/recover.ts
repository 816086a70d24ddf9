// Undoing an exchange from the objects alone, whoever made it and in whatever state he left it: ours and kt-connect's.
import { KtError } from '../errors.ts'
import { unavailable } from './api.ts'
import { statusOf } from './api-error.ts'
import { changeService } from './change-service.ts'
import type { Cluster, ConfigMap, Pod, Service } from './client.ts'
import { deleteService, retireShadows } from './exchange.ts'
import { type ExchangeState, exchangeState, originalSelector, restorePatch } from './exchange-plan.ts'
import { CONFIG_ANNOTATION, CONTROL_LABEL, stuntmanName } from './names.ts'
import { CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES } from './resource.ts'

/** Everything in the namespace that kt or kt-connect has made, and all services, which they may have changed. */
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
  return { services: services.items, pods: pods.items, configMaps: configMaps.items }
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
  const names = new Set<string>()
  for (const service of remains.services) if (isChanged(service)) names.add(service.metadata?.name ?? '')
  for (const { metadata } of remains.services.filter(isOwn)) {
    const original = /^(.+)-kt-stuntman$/.exec(metadata?.name ?? '')?.[1]
    if (original !== undefined) names.add(configOf({ metadata }, 'service') ?? original)
  }
  for (const pod of remains.pods) {
    const name = /-kt-exchange-|-kt-router$/.test(pod.metadata?.name ?? '') ? configOf(pod, 'service') : undefined
    if (name !== undefined) names.add(name)
  }
  return [...names].sort((a, b) => a.localeCompare(b))
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
  const done: string[] = []
  const service = remains.services.find(({ metadata }) => metadata?.name === name)
  const state: ExchangeState = service === undefined ? { kind: 'plain' } : exchangeState(service)
  const pods = podsOf(name, state, remains)
  const helpers = helpersOf(name, remains)
  if (service === undefined && pods.length === 0 && helpers.length === 0)
    throw new KtError('KT_NOT_FOUND', `there is no service "${name}" in namespace ${cluster.namespace}`, {
      hint: 'another namespace is chosen with --namespace'
    })
  if (service !== undefined && isChanged(service)) {
    const after = await changeService(cluster, name, restorePatch, signal)
    const selector = Object.entries(originalSelector(after)).map(([key, value]) => `${key}=${value}`)
    done.push(`Original service ${name} recovered: selects ${selector.join(', ')}`)
    if (state.kind === 'exchanged') {
      const { token, mode } = state
      await retireShadows(cluster, { token, mode, selector: originalSelector(after) })
    }
  }
  for (const pod of pods) done.push(...(await scaleBack(cluster, pod, signal)))
  for (const helper of helpers) {
    await deleteService(cluster, helper)
    done.push(`${helper === stuntmanName(name) ? 'Stuntman service' : 'Service'} ${helper} removed`)
  }
  for (const pod of pods) done.push(...(await removePod(cluster, pod.metadata?.name ?? '')))
  return done
}

/** What stands behind the service: by its `kt-config`, by what an old selector points at, or by kt-connect's names. */
function podsOf(name: string, state: ExchangeState, { pods }: Remains): Pod[] {
  const names = new RegExp(`^${name.replaceAll('.', '\\.')}-kt-(exchange-[a-z]{5}|mesh-.+|router)$`)
  return pods.filter(({ metadata }) => {
    const target = metadata?.labels?.['kt-target']
    const selected = state.kind === 'kt-connect' && state.target !== '' && target === state.target
    return selected || names.test(metadata?.name ?? '')
  })
}

function helpersOf(name: string, { services }: Remains): string[] {
  return services
    .filter(isOwn)
    .map(({ metadata }) => metadata?.name ?? '')
    .filter(helper => helper === stuntmanName(name) || helper.startsWith(`${name}-kt-mesh-`))
}

/** kt-connect's scale mode keeps `app=DEPLOYMENT,replicas=N` at its shadow. */
async function scaleBack({ api, namespace }: Cluster, pod: Pod, signal?: AbortSignal): Promise<string[]> {
  const [name, replicas] = [configOf(pod, 'app'), Number(configOf(pod, 'replicas'))]
  if (name === undefined || !Number.isInteger(replicas) || replicas < 1) return []
  const body = { spec: { replicas } }
  await api.call({ ...DEPLOYMENTS, verb: 'patch', namespace, name, subresource: 'scale', body }, signal)
  return [`Deployment ${name} scaled back to ${replicas}`]
}

/** A pod and the ConfigMap of its name; gone already is as good. */
export async function removePod({ api, namespace }: Cluster, name: string): Promise<string[]> {
  const gone = (error: unknown): void => {
    if (statusOf(error) !== 404) throw error
  }
  await api.call({ ...PODS, verb: 'delete', namespace, name }).catch(gone)
  await api.call({ ...CONFIG_MAPS, verb: 'delete', namespace, name }).catch((error: unknown) => {
    if (!unavailable(error)) throw error
  })
  return [`Shadow pod ${name} removed`]
}
