// The ConfigMap of a mesh: read by everybody, changed only from the state that was read. It is made first and removed last,
// so it is also the lock: whoever creates it builds the mesh, whoever finds it joins, and who finds it closing waits.
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, ConfigMap } from '../api/client.ts'
import { CONFIG_MAPS } from '../api/resource.ts'
import { CONFIG_ANNOTATION, CONTROL_LABEL, HEARTBEAT_ANNOTATION, MESH_KEY, ROLE_LABEL, routerName } from '../names.ts'
import { now } from '../traffic/owner.ts'
import { decodeMesh, encodeMesh, type Mesh, type Participant } from './table.ts'

/** Colleagues write when they come and go, and all of them twice a minute to say that they live. */
const ATTEMPTS = 16
/** Between two attempts, ms, at random: those who collided must not do so again. */
const PAUSE_MS = 60
/** `kt-seen/<version>`: when a participant was last heard of, seconds since the epoch. */
const SEEN = 'kt-seen/'

/** A mesh as it was read. */
export interface StoredMesh {
  mesh: Mesh
  /** Another one after the mesh was taken down and begun again. */
  uid: string
  /** Seconds since a participant was heard of, by this computer's clock; Infinity when never. */
  silentSeconds(participant: Pick<Participant, 'version'>): number
}

/** Undefined: the service is not meshed. Throws KT_CONFLICT for one that this kt cannot read. */
export async function readMesh(
  { api, namespace }: Cluster,
  service: string,
  signal?: AbortSignal
): Promise<(StoredMesh & { resourceVersion: string }) | undefined> {
  const name = routerName(service)
  try {
    const map = await api.call<ConfigMap>({ ...CONFIG_MAPS, verb: 'get', namespace, name }, signal)
    const stored = meshIn(map)
    if (stored !== undefined) return { ...stored, resourceVersion: map.metadata?.resourceVersion ?? '' }
    throw new KtError('KT_CONFLICT', `config map ${name} is not a mesh of this version of kt`, {
      hint: `kt recover ${service} puts the service back`
    })
  } catch (error) {
    if (statusOf(error) !== 404) throw error
    return undefined
  }
}

/** What a ConfigMap says, if it is that of a mesh. */
export function meshIn({ metadata, data }: ConfigMap): StoredMesh | undefined {
  const mesh = decodeMesh(data)
  if (mesh === undefined) return undefined
  return {
    mesh,
    uid: metadata?.uid ?? '',
    silentSeconds: ({ version }) => {
      const seen = Number(metadata?.annotations?.[`${SEEN}${version}`])
      return seen > 0 ? Math.max(0, Date.now() / 1000 - seen) : Number.POSITIVE_INFINITY
    }
  }
}

/** Begin a mesh; false: somebody else has just done so. `files` go beside it into the ConfigMap. */
export async function createMesh(
  { api, namespace }: Cluster,
  mesh: Mesh,
  files: Record<string, string>
): Promise<boolean> {
  const body: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: routerName(mesh.service),
      labels: { [CONTROL_LABEL]: 'kt', [ROLE_LABEL]: 'router', [MESH_KEY]: mesh.token },
      annotations: {
        [CONFIG_ANNOTATION]: `service=${mesh.service}`,
        [HEARTBEAT_ANNOTATION]: now(),
        ...seenNow(mesh.participants)
      }
    },
    data: { ...files, ...encodeMesh(mesh) }
  }
  try {
    await api.call({ ...CONFIG_MAPS, verb: 'create', namespace, body })
    return true
  } catch (error) {
    if (statusOf(error) !== 409) throw error
    return false
  }
}

/**
 * Read, ask `change` for what it becomes, write it if nobody has written meanwhile; else all of it again. `change` may throw to
 * refuse, and returns undefined when there is nothing to do. The mesh as it is afterwards; undefined: there is none.
 */
export async function changeMesh(
  cluster: Cluster,
  service: string,
  change: (stored: StoredMesh) => Mesh | undefined
): Promise<Mesh | undefined> {
  const { api, namespace } = cluster
  for (let attempt = 1; ; attempt++) {
    const stored = await readMesh(cluster, service)
    if (stored === undefined) return undefined
    const { mesh, resourceVersion } = stored
    const next = change(stored)
    if (next === undefined) return mesh
    const gone = mesh.participants.filter(({ version }) => !next.participants.some(other => other.version === version))
    const come = next.participants.filter(participant => !mesh.participants.includes(participant))
    const annotations = {
      ...Object.fromEntries(gone.map(({ version }) => [`${SEEN}${version}`, null])),
      ...seenNow(come)
    }
    const body = { metadata: { resourceVersion, annotations }, data: encodeMesh(next) }
    try {
      await api.call({ ...CONFIG_MAPS, verb: 'patch', namespace, name: routerName(service), body })
      return next
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      if (statusOf(error) !== 409 || attempt === ATTEMPTS) throw error
      await sleep(Math.random() * PAUSE_MS)
    }
  }
}

/** A participant lives, and with him the mesh. Unconditional: it touches nobody else's word. */
export async function beatMesh({ api, namespace }: Cluster, service: string, version: string): Promise<void> {
  const body = { metadata: { annotations: { [HEARTBEAT_ANNOTATION]: now(), [`${SEEN}${version}`]: now() } } }
  await api.call({ ...CONFIG_MAPS, verb: 'patch', namespace, name: routerName(service), body })
}

function seenNow(participants: readonly Participant[]): Record<string, string> {
  return Object.fromEntries(participants.map(({ version }) => [`${SEEN}${version}`, now()]))
}
