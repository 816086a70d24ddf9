// Labels and annotations of pods that are there already, all of those that a label selects.
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Pod } from '../api/client.ts'
import { PODS } from '../api/resource.ts'

/** What is to be written; null removes. */
export interface Marks {
  labels?: Record<string, string | null>
  annotations?: Record<string, string | null>
}

/** Write to every pod of the namespace that `labelSelector` selects; a pod that goes meanwhile is as good. */
export async function markPods({ api, namespace }: Cluster, labelSelector: string, metadata: Marks): Promise<void> {
  const { items } = await api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query: { labelSelector } })
  await Promise.all(
    items.map(async pod => {
      const name = pod.metadata?.name ?? ''
      await api.call({ ...PODS, verb: 'patch', namespace, name, body: { metadata } }).catch((error: unknown) => {
        if (statusOf(error) !== 404) throw error
      })
    })
  )
}
