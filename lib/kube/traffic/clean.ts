// What nobody keeps alive: found by its heartbeat, put back and removed in an order in which no service is ever without pods.
import { unavailable } from '../api/api.ts'
import type { Cluster } from '../api/client.ts'
import { CONFIG_MAPS } from '../api/resource.ts'
import { describeSilent, removeParticipant, type SilentParticipant, silentParticipants } from '../mesh/recover.ts'
import { CONTROL_LABEL, HEARTBEAT_ANNOTATION, stuntmanName } from '../names.ts'
import { removePod } from '../shadow/remove-pod.ts'
import { deleteService } from './exchange.ts'
import { LOCK_ANNOTATION } from './exchange-plan.ts'
import { ownerOf } from './owner.ts'
import { changedServices, configOf, findRemains, type Remains, recoverService, servicesBehind } from './recover.ts'

interface Made {
  metadata?: {
    name?: string
    annotations?: Record<string, string>
    labels?: Record<string, string>
    creationTimestamp?: string
  }
}

/** What would be, or was, done. */
export interface Expired {
  /** Services to put back, with all that was made for them. */
  services: string[]
  /** Names of pods, services and ConfigMaps that belong to none of those. */
  pods: string[]
  helpers: string[]
  configMaps: string[]
  /** Of meshes that others keep alive. */
  participants: SilentParticipant[]
}

/** Everything whose last heartbeat, or else whose creation, is older than `seconds` at `now` (ms since the epoch). Pure. */
export function findExpired(remains: Remains, seconds: number, now: number = Date.now()): Expired {
  const silent = (object: Made): boolean => silence(object, now) > seconds
  const made = remains.services.filter(({ metadata }) => metadata?.labels?.[CONTROL_LABEL] === 'kt')
  const changed = changedServices(remains)
  const services = changed.filter(name => {
    const others = [
      ...remains.pods.filter(pod => servicesBehind(pod, remains.services).includes(name)),
      ...[...remains.pods, ...made].filter(
        object =>
          object.metadata?.name === stuntmanName(name) ||
          configOf(object, 'service') === name ||
          /^(exchange-[a-z]{5}|mesh-.+|router)$/.test(object.metadata?.name?.split(`${name}-kt-`)[1] ?? '-')
      )
    ]
    // Whoever keeps any part of it alive keeps it all; without parts there is only what the service itself says.
    const service = remains.services.find(({ metadata }) => metadata?.name === name)
    const parts = others.length > 0 || service === undefined ? others : [service]
    return parts.every(silent)
  })
  // Parts of an exchange go with it or not at all.
  const served = new Set(
    remains.pods.filter(pod => servicesBehind(pod, remains.services).length > 0).map(({ metadata }) => metadata?.name)
  )
  const taken = (object: Made): boolean =>
    served.has(object.metadata?.name) ||
    changed.some(
      name => (object.metadata?.name ?? '').startsWith(`${name}-kt-`) || configOf(object, 'service') === name
    )
  const names = (objects: Made[]): string[] =>
    objects.filter(object => silent(object) && !taken(object)).map(({ metadata }) => metadata?.name ?? '')
  const pods = names(remains.pods)
  return {
    services,
    pods,
    helpers: names(made),
    configMaps: names(remains.configMaps).filter(name => !remains.pods.some(pod => pod.metadata?.name === name)),
    participants: silentParticipants(remains, seconds)
  }
}

/** Put back and remove; one line for each thing done. */
export async function removeExpired(
  cluster: Cluster,
  expired: Expired,
  remains: Remains,
  signal?: AbortSignal
): Promise<string[]> {
  const done: string[] = []
  for (const [i, name] of expired.services.entries()) {
    // Looked at anew: one exchange may have taken several services, which go back together.
    const now = i === 0 ? remains : await findRemains(cluster, signal)
    done.push(...(await recoverService(cluster, name, now, signal)))
  }
  for (const participant of expired.participants) done.push(...(await removeParticipant(cluster, participant)))
  for (const name of expired.helpers) {
    await deleteService(cluster, name)
    done.push(`Service ${name} removed`)
  }
  for (const name of expired.pods) done.push(...(await removePod(cluster, name)))
  for (const name of expired.configMaps) {
    const { api, namespace } = cluster
    await api.call({ ...CONFIG_MAPS, verb: 'delete', namespace, name }, signal).catch((error: unknown) => {
      if (!unavailable(error)) throw error
    })
    done.push(`Config map ${name} removed`)
  }
  return done
}

/** One line for each thing of `expired`. */
export function describeExpired({ services, helpers, pods, configMaps, participants }: Expired): string[] {
  return [
    ...participants.map(participant => `${describeSilent(participant)} would be removed`),
    ...services.map(name => `service ${name} would be put back`),
    ...helpers.map(name => `service ${name} would be removed`),
    ...pods.map(name => `pod ${name} would be removed`),
    ...configMaps.map(name => `config map ${name} would be removed`)
  ]
}

/** Seconds since the last sign of life. */
function silence({ metadata }: Made, now: number): number {
  if (metadata?.annotations?.[HEARTBEAT_ANNOTATION] !== undefined) return ownerOf(metadata.annotations).silentSeconds
  // kt-connect writes the time there before it has made anything, and takes it away at the end of its start.
  const locked = Number(metadata?.annotations?.[LOCK_ANNOTATION])
  if (locked > 0) return now / 1000 - locked
  const created = Date.parse(metadata?.creationTimestamp ?? '')
  return Number.isNaN(created) ? Number.POSITIVE_INFINITY : (now - created) / 1000
}
