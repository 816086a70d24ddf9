// A shadow pod and its ConfigMap, removed by name.
import { unavailable } from '../api/api.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster } from '../api/client.ts'
import { CONFIG_MAPS, PODS } from '../api/resource.ts'

/** A pod and the ConfigMap of its name; gone already is as good. */
export async function removePod({ api, namespace }: Cluster, name: string): Promise<string[]> {
  await api.call({ ...PODS, verb: 'delete', namespace, name }).catch((error: unknown) => {
    if (statusOf(error) !== 404) throw error
  })
  await api.call({ ...CONFIG_MAPS, verb: 'delete', namespace, name }).catch((error: unknown) => {
    if (!unavailable(error)) throw error // it belongs to the pod and goes with it
  })
  return [`Shadow pod ${name} removed`]
}
