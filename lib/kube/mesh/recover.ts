// Ending a mesh for those who are not there to do it: all of it, or the places of participants that nobody has heard of.
import type { Cluster, ConfigMap, Pod, Service } from '../api/client.ts'
import { CONFIG_ANNOTATION, ROLE_LABEL, stuntmanName } from '../names.ts'
import { removePod } from '../shadow/remove-pod.ts'
import { exchangeState, originalSelector } from '../traffic/exchange-plan.ts'
import { removeRouters, retireRouters, touchRouters } from './router.ts'
import { stuntmanMesh } from './service.ts'
import { changeMesh, meshIn } from './store.ts'
import { describeIdentity, type Mesh, type Participant } from './table.ts'

/** What of a namespace is looked at. */
export interface MeshRemains {
  services: Service[]
  pods: Pod[]
  configMaps: ConfigMap[]
}

/** As much of a mesh as its objects still tell. */
export type MeshTrace = Pick<Mesh, 'service' | 'token' | 'mode'>

/** The mesh of a service: by its ConfigMap, else by its selector, else by a stuntman alone. */
export function meshTrace(name: string, { services, configMaps }: MeshRemains): MeshTrace | undefined {
  const stored = configMaps.map(meshIn).find(found => found?.mesh.service === name)
  if (stored !== undefined) return stored.mesh
  const service = services.find(({ metadata }) => metadata?.name === name)
  const state = service === undefined ? undefined : exchangeState(service)
  if (state?.kind === 'meshed') return { service: name, token: state.token, mode: state.mode }
  const stuntman = services.find(({ metadata }) => metadata?.name === stuntmanName(name))
  const token = stuntman === undefined ? undefined : stuntmanMesh(stuntman)
  return token === undefined ? undefined : { service: name, token, mode: 'narrow' }
}

/** Services whose mesh has a ConfigMap. */
export function meshedServices({ configMaps }: Pick<MeshRemains, 'configMaps'>): string[] {
  return configMaps.flatMap(map => meshIn(map)?.mesh.service ?? [])
}

/** End it for everybody: the service first, then routers, stuntman and shadows. One line for each thing. */
export async function endMesh(cluster: Cluster, trace: MeshTrace, remains: MeshRemains): Promise<string[]> {
  const { service: name, token } = trace
  // Nobody comes in from now on, and those who are in see that it is over.
  const closed = await changeMesh(cluster, name, ({ mesh }) => ({ ...mesh, participants: [], closing: true }))
  if (closed !== undefined) await touchRouters(cluster, closed)
  const service = remains.services.find(({ metadata }) => metadata?.name === name)
  const selector = service === undefined ? {} : originalSelector(service)
  await retireRouters(cluster, trace, selector)
  const selects = Object.entries(selector).map(([key, value]) => `${key}=${value}`)
  const done = service === undefined ? [] : [`Original service ${name} recovered: selects ${selects.join(', ')}`]
  for (const pod of remains.pods.filter(({ metadata }) => isShadow(metadata, name)))
    done.push(...(await removePod(cluster, pod.metadata?.name ?? '')))
  done.push(...(await removeRouters(cluster, name, token)))
  return done
}

/** A participant whom nobody has heard of, in a mesh that others keep alive. */
export interface SilentParticipant extends Participant {
  service: string
}

/** Those who have been silent for more than `seconds`, of meshes in which somebody is not. */
export function silentParticipants(
  { configMaps }: Pick<MeshRemains, 'configMaps'>,
  seconds: number
): SilentParticipant[] {
  return configMaps.flatMap(map => {
    const stored = meshIn(map)
    if (stored === undefined) return []
    const { mesh, silentSeconds } = stored
    const silent = mesh.participants.filter(participant => silentSeconds(participant) > seconds)
    if (silent.length === mesh.participants.length) return []
    return silent.map(participant => ({ ...participant, service: mesh.service }))
  })
}

/** Take his place away, and then his shadow. */
export async function removeParticipant(cluster: Cluster, participant: SilentParticipant): Promise<string[]> {
  const { service, version, process, pod } = participant
  const mesh = await changeMesh(cluster, service, ({ mesh }) => {
    const participants = mesh.participants.filter(other => other.version !== version || other.process !== process)
    return participants.length === mesh.participants.length ? undefined : { ...mesh, participants }
  })
  if (mesh !== undefined) await touchRouters(cluster, mesh)
  const done = [`${describeSilent(participant)} removed`]
  return pod === '' ? done : [...done, ...(await removePod(cluster, pod))]
}

/** `version blue of service shop (alice on laptop-7)`. */
export function describeSilent(participant: SilentParticipant): string {
  return `version ${participant.version} of service ${participant.service} (${describeIdentity(participant)})`
}

function isShadow(metadata: Pod['metadata'], service: string): boolean {
  const fields = (metadata?.annotations?.[CONFIG_ANNOTATION] ?? '').split(',')
  return metadata?.labels?.[ROLE_LABEL] === 'shadow-mesh' && fields.includes(`service=${service}`)
}
