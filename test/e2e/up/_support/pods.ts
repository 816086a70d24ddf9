// The pods of the namespace demo, with their names.
import type { ClusterName } from '../../_support/areas.ts'
import { kubectl } from '../../_support/kubectl.ts'

export interface DemoPod {
  name: string
  uid: string
  node: string
  /** All of its addresses, the primary one first. */
  addresses: string[]
}

interface PodList {
  items: {
    metadata: { name: string; uid: string; deletionTimestamp?: string }
    spec: { nodeName: string }
    status: { podIPs?: { ip: string }[] }
  }[]
}

/** The pods with the label `app=name`, sorted by name. */
export async function pods(app: string, cluster: ClusterName = 'main'): Promise<DemoPod[]> {
  const args = ['-n', 'demo', 'get', 'pods', '-l', `app=${app}`, '-o', 'json']
  const { items } = JSON.parse(await kubectl(args, { cluster })) as PodList
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, spec, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      node: spec.nodeName,
      addresses: (status.podIPs ?? []).map(({ ip }) => ip)
    }))
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** The first of them. */
export async function pod(app: string, cluster: ClusterName = 'main'): Promise<DemoPod & { address: string }> {
  const [first] = await pods(app, cluster)
  const address = first?.addresses[0]
  if (first === undefined || address === undefined) throw new Error(`no pod of ${app} has an address`)
  return { ...first, address }
}
