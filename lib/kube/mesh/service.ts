// The Service of a mesh: led to its routers in one conditional write, and back. Any participant may do either, all at once.
import { KtError } from '../../errors.ts'
import { unavailable } from '../api/api.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Service } from '../api/client.ts'
import { SERVICES } from '../api/resource.ts'
import { CONFIG_ANNOTATION, MESH_KEY, stuntmanName } from '../names.ts'
import { changeService } from '../traffic/change-service.ts'
import { divertPatch, exchangeState, restorePatch } from '../traffic/exchange-plan.ts'
import { readMesh } from './store.ts'
import { describeIdentity, type Mesh } from './table.ts'

/** Field of the stuntman's `kt-config`: whose mesh it belongs to. */
const MESH_FIELD = 'mesh'

/** What `createStuntman` writes for a mesh. */
export const meshField = ({ token }: Pick<Mesh, 'token'>): string => `${MESH_FIELD}=${token}`

/** Was it made for a mesh, and for which one? */
export function stuntmanMesh({ metadata }: Service): string | undefined {
  const fields = (metadata?.annotations?.[CONFIG_ANNOTATION] ?? '').split(',').map(field => field.split('='))
  return fields.find(([key]) => key === MESH_FIELD)?.[1]
}

/** Does the Service lead to the routers of this mesh, and to them alone? */
export function leadsToRouters(service: Service, { token, mode }: Pick<Mesh, 'token' | 'mode'>): boolean {
  const selector = service.spec?.selector ?? {}
  return selector[MESH_KEY] === token && (mode === 'narrow' || Object.keys(selector).length === 1)
}

/** Lead it there; nothing is written when it does. Throws KT_CONFLICT for a service that somebody has exchanged. */
export async function leadToRouters(cluster: Cluster, mesh: Mesh): Promise<Service> {
  const { service, token, mode } = mesh
  return await changeService(cluster, service, current => {
    const state = exchangeState(current)
    if (state.kind === 'exchanged' || state.kind === 'kt-connect')
      throw new KtError('KT_CONFLICT', `service '${service}' has just been exchanged by somebody else`)
    if (leadsToRouters(current, mesh)) return undefined
    return divertPatch(current, { key: MESH_KEY, mode, token, annotations: {} })
  })
}

/** Give it back to its own pods; what others have made of it is left alone. */
export async function leadToOriginals(cluster: Cluster, { service, token }: Pick<Mesh, 'service' | 'token'>) {
  try {
    await changeService(cluster, service, current => {
      const { kind } = exchangeState(current)
      const ours = current.spec?.selector?.[MESH_KEY] ?? current.metadata?.labels?.[MESH_KEY]
      return ours === token && kind !== 'exchanged' ? restorePatch(current) : undefined
    })
  } catch (error) {
    if (statusOf(error) !== 404) throw error // the service has been deleted: nothing to put back
  }
}

/** Is a mesh behind the service, or one that is just beginning? */
export async function servesMesh(
  { api, namespace }: Cluster,
  service: Service,
  signal?: AbortSignal
): Promise<boolean> {
  if (exchangeState(service).kind === 'meshed') return true
  const name = stuntmanName(service.metadata?.name ?? '')
  const stuntman = await api.call<Service>({ ...SERVICES, verb: 'get', namespace, name }, signal).catch(elsewhere)
  return stuntman !== undefined && stuntmanMesh(stuntman) !== undefined
}

/** Throws KT_CONFLICT with those who mesh the service: its router would be cut off. */
export async function demandNotMeshed(cluster: Cluster, service: Service, signal?: AbortSignal): Promise<void> {
  if (!(await servesMesh(cluster, service, signal))) return
  const name = service.metadata?.name ?? ''
  const stored = await readMesh(cluster, name, signal).catch(elsewhere)
  const people = stored?.mesh.participants.map(who => `${describeIdentity(who)} (version ${who.version})`) ?? []
  const by = people.length === 0 ? '' : ` by ${people.join(', ')}`
  throw new KtError('KT_CONFLICT', `service '${name}' is meshed${by}: it cannot be exchanged meanwhile`, {
    hint: `kt mesh ${name} joins them; kt recover ${name} ends the mesh for all of them`
  })
}

function elsewhere(error: unknown): undefined {
  if (!unavailable(error)) throw error
  return undefined
}
