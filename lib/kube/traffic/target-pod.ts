// One pod behind a TARGET, to look at: a ready one if there is any, never one of kt's own.
import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Pod } from '../api/client.ts'
import { DEPLOYMENTS, PODS, STATEFUL_SETS } from '../api/resource.ts'
import { CONTROL_LABEL } from '../names.ts'
import { originalSelector } from './exchange-plan.ts'
import { selectorText } from './forward-target.ts'
import { findService, type Target } from './target.ts'

interface Workload {
  spec?: { selector?: { matchLabels?: Record<string, string> } }
}

/** Throws KT_NOT_FOUND when there is no such thing, or no pod behind it. */
export async function podOf(cluster: Cluster, target: Target, signal?: AbortSignal): Promise<Pod> {
  const { api, namespace } = cluster
  const { kind, name } = target
  try {
    if (kind === 'pod') return await api.call<Pod>({ ...PODS, verb: 'get', namespace, name }, signal)
    const labelSelector = await selectorOf(cluster, target, signal)
    const list = await api.call<{ items: Pod[] }>(
      { ...PODS, verb: 'list', namespace, query: { labelSelector } },
      signal
    )
    const pods = list.items.filter(({ metadata }) => metadata?.labels?.[CONTROL_LABEL] !== 'kt')
    const best = pods.find(isReady) ?? pods[0]
    if (best !== undefined && labelSelector !== '') return best
  } catch (cause) {
    if (statusOf(cause) !== 404) throw cause
    throw new KtError('KT_NOT_FOUND', `there is no ${kind} "${name}" in namespace ${namespace}`, { cause })
  }
  throw new KtError('KT_NOT_FOUND', `there is no pod behind ${kind} "${name}" in namespace ${namespace}`, {
    hint: `kubectl -n ${namespace} get pods`
  })
}

async function selectorOf(cluster: Cluster, target: Target, signal?: AbortSignal): Promise<string> {
  const { api, namespace } = cluster
  const { kind, name } = target
  if (kind === 'service')
    return selectorText({ matchLabels: originalSelector(await findService(cluster, target, signal)) })
  const resource = kind === 'deployment' ? DEPLOYMENTS : STATEFUL_SETS
  const workload = await api.call<Workload>({ ...resource, verb: 'get', namespace, name }, signal)
  return selectorText(workload.spec?.selector ?? {})
}

const isReady = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined &&
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
