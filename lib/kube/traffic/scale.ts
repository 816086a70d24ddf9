// A workload taken to 0 by its `scale` subresource, and back again; how many pods it had is kept at kt's own objects.
import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Pod } from '../api/client.ts'
import { DEPLOYMENTS, PODS, type Resource, STATEFUL_SETS } from '../api/resource.ts'
import { watchObjects } from '../api/watch.ts'
import { CONTROL_LABEL } from '../names.ts'
import { isReady } from './ready-pods.ts'

export type WorkloadKind = 'deployment' | 'statefulset'

export const WORKLOADS: Record<WorkloadKind, Resource> = { deployment: DEPLOYMENTS, statefulset: STATEFUL_SETS }

/** In front of a workload's name in `kt-config`: kt-connect's word for a Deployment, so that each understands what the other has left. */
const FIELDS: Record<WorkloadKind, string> = { deployment: 'app', statefulset: 'statefulset' }
/** Autoscalers write seldom; who loses so often in a row has a loop against him. */
const ATTEMPTS = 8

/** How many pods a workload had before it was taken to 0. */
export interface Replicas {
  kind: WorkloadKind
  name: string
  replicas: number
}

/** As a part of `kt-config`: `app=web,replicas=2`. */
export function replicasConfig({ kind, name, replicas }: Replicas): string {
  return `${FIELDS[kind]}=${name},replicas=${replicas}`
}

/** Out of the fields of a `kt-config`; undefined when they say nothing of the kind. */
export function readReplicas(field: (name: string) => string | undefined): Replicas | undefined {
  const number = field('replicas') ?? ''
  if (!/^\d{1,9}$/.test(number)) return undefined
  const replicas = Number(number)
  for (const kind of ['deployment', 'statefulset'] as const) {
    const name = field(FIELDS[kind])
    if (name !== undefined) return { kind, name, replicas }
  }
  return undefined
}

/** `Deployment web`: for messages. */
export function workloadName({ kind, name }: Omit<Replicas, 'replicas'>): string {
  return `${kind === 'deployment' ? 'Deployment' : 'StatefulSet'} ${name}`
}

/** autoscaling/v1: a number that is 0 is left out. */
interface Scale {
  metadata?: { resourceVersion?: string }
  spec?: { replicas?: number }
  status?: { selector?: string }
}

/** A workload as it is now. */
export interface Scaled {
  replicas: number
  /** Of its pods, as text. */
  selector: string
  /** By us, just now. */
  changed: boolean
}

/**
 * Take the workload to 0. When it has another number of pods by now than `was`, `remember` is called first and waited for:
 * what is changed is written down before. Throws KT_CONFLICT when somebody else takes it to 0 at the same time.
 */
export async function scaleDown(
  cluster: Cluster,
  was: Replicas,
  remember: (was: Replicas) => Promise<void>
): Promise<void> {
  if (was.replicas === 0) return
  let known = was.replicas
  await conditionally(cluster, was, async replicas => {
    if (replicas === 0) throw new KtError('KT_CONFLICT', `somebody else has just scaled ${was.kind} '${was.name}' to 0`)
    if (replicas !== known) await remember({ ...was, replicas })
    known = replicas
    return 0
  })
}

/**
 * Give the workload its pods again. What somebody else has made of it since then is left alone. Undefined: there is
 * no such workload any more.
 */
export async function scaleBack(cluster: Cluster, was: Replicas): Promise<Scaled | undefined> {
  try {
    return await conditionally(cluster, was, async replicas => (replicas === 0 ? was.replicas : replicas))
  } catch (error) {
    if (statusOf(error) === 404) return undefined
    throw error
  }
}

/** One conditional write of the number that `wanted` makes of the present one; again from the beginning when it is not the present one any more. */
async function conditionally(
  { api, namespace }: Cluster,
  { kind, name }: Replicas,
  wanted: (replicas: number) => Promise<number>
): Promise<Scaled> {
  const scale = { ...WORKLOADS[kind], namespace, name, subresource: 'scale' }
  for (let attempt = 1; ; attempt++) {
    const { metadata, spec, status } = await api.call<Scale>({ ...scale, verb: 'get' })
    const replicas = await wanted(spec?.replicas ?? 0)
    const result = { replicas, selector: status?.selector ?? '', changed: replicas !== (spec?.replicas ?? 0) }
    if (!result.changed) return result
    const body = { metadata: { resourceVersion: metadata?.resourceVersion }, spec: { replicas } }
    try {
      await api.call({ ...scale, verb: 'patch', body })
      return result
    } catch (error) {
      if (statusOf(error) !== 409 || attempt === ATTEMPTS) throw error
    }
  }
}

/** Wait until `wanted` of the pods of a label selector are ready, kt's own left out; how many are when that is so, or when `signal` fires. */
export async function untilReady(
  { api, namespace }: Cluster,
  selector: string,
  wanted: number,
  signal: AbortSignal
): Promise<number> {
  const ready = new Set<string>()
  const watching = new AbortController()
  const { promise, resolve } = Promise.withResolvers<void>()
  const over = (): void => resolve()
  signal.addEventListener('abort', over, { once: true })
  if (wanted === 0 || signal.aborted) over()
  try {
    await watchObjects<Pod>(api, {
      resource: PODS,
      namespace,
      query: { labelSelector: `${selector},${CONTROL_LABEL}!=kt` },
      signal: watching.signal,
      onObject: (key, pod) => {
        if (pod !== undefined && isReady(pod)) ready.add(key)
        else ready.delete(key)
        if (ready.size >= wanted) over()
      }
    })
    await promise
    return ready.size
  } finally {
    watching.abort()
    signal.removeEventListener('abort', over)
  }
}
