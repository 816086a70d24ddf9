// Who else sets the replicas of a workload, and what he will do while it is at 0.
import { unavailable } from '../api/api.ts'
import type { Cluster } from '../api/client.ts'
import { AUTOSCALERS, type Resource, SCALED_OBJECTS } from '../api/resource.ts'
import { type Replicas, workloadName } from './scale.ts'

interface Autoscaler {
  metadata?: { name?: string; annotations?: Record<string, string>; ownerReferences?: { kind: string }[] }
  spec?: { scaleTargetRef?: { kind?: string; name?: string }; minReplicas?: number; maxReplicas?: number }
}

/** KEDA keeps to this number while it is set, and touches nothing. */
const KEDA_PAUSED = 'autoscaling.keda.sh/paused-replicas'

/** One line for each HorizontalPodAutoscaler and each ScaledObject of KEDA. Those that we may not see are not named. */
export async function describeAutoscalers(
  cluster: Cluster,
  workload: Replicas,
  signal?: AbortSignal
): Promise<string[]> {
  const [hpas, scaledObjects] = await Promise.all([
    listFor(cluster, AUTOSCALERS, workload, signal),
    listFor(cluster, SCALED_OBJECTS, workload, signal)
  ])
  // KEDA works through an HPA of its own, which is not named twice.
  const own = hpas.filter(({ metadata }) => !metadata?.ownerReferences?.some(({ kind }) => kind === 'ScaledObject'))
  return [...own.map(hpa => describeHpa(hpa, workload)), ...scaledObjects.map(object => describeKeda(object, workload))]
}

async function listFor(
  { api, namespace }: Cluster,
  resource: Resource,
  { kind, name }: Replicas,
  signal?: AbortSignal
): Promise<Autoscaler[]> {
  try {
    const { items } = await api.call<{ items: Autoscaler[] }>({ ...resource, verb: 'list', namespace }, signal)
    return items.filter(({ spec }) => {
      const target = spec?.scaleTargetRef
      return target?.name === name && (target.kind ?? 'Deployment').toLowerCase() === kind
    })
  } catch (error) {
    if (unavailable(error)) return []
    throw error
  }
}

function describeHpa({ metadata, spec }: Autoscaler, workload: Replicas): string {
  const name = `HorizontalPodAutoscaler ${metadata?.name} (${spec?.minReplicas ?? 1} to ${spec?.maxReplicas})`
  if (spec?.minReplicas === 0)
    return `${name} may scale ${workloadName(workload)} up from 0: its pods then run beside, and callers still come here`
  return `${name} rests while ${workloadName(workload)} is at 0 and goes on afterwards`
}

function describeKeda({ metadata }: Autoscaler, workload: Replicas): string {
  const name = `ScaledObject ${metadata?.name} of KEDA`
  const paused = metadata?.annotations?.[KEDA_PAUSED]
  if (paused === '0') return `${name} is paused at 0 and leaves ${workloadName(workload)} alone`
  return `${name} scales ${workloadName(workload)} up from 0 again: its pods then run beside, and callers still come here; to stop it: kubectl annotate scaledobject ${metadata?.name} ${KEDA_PAUSED}=0`
}
