// Where the pods of a workload are right now: watched, because they come and go.
import type { Cluster, Pod } from '../api/client.ts'
import { PODS } from '../api/resource.ts'
import { watchObjects } from '../api/watch.ts'

/** Pods as they are at this moment. */
export interface ReadyPods {
  /** All of them, also those that are not ready. */
  readonly pods: ReadonlyMap<string, Pod>
  /** Address of a pod that is ready, another one each time; undefined: there is none. */
  address(): string | undefined
}

/** Watch the pods of the namespace that `query` selects. Resolves when they are known; rejects when they may not be seen. */
export async function watchReadyPods(
  { api, namespace }: Cluster,
  query: { labelSelector?: string; fieldSelector?: string },
  signal: AbortSignal
): Promise<ReadyPods> {
  const pods = new Map<string, Pod>()
  let turn = 0
  await watchObjects<Pod>(api, {
    resource: PODS,
    namespace,
    query,
    signal,
    onObject: (key, pod) => {
      if (pod === undefined) pods.delete(key)
      else pods.set(key, pod)
    }
  })
  return {
    pods,
    address() {
      const ready = [...pods.values()].filter(isReady)
      return ready[turn++ % Math.max(1, ready.length)]?.status?.podIP
    }
  }
}

/** Ready, not on its way out, and with an address: a Service sends to it. */
export function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
  return ready === true && metadata?.deletionTimestamp === undefined && status?.podIP !== undefined
}
