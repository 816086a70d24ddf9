// The objects of the namespace as one line each, without what changes with every write.
import { kubectl } from '../../_support/kubectl.ts'
import { NAMESPACE } from './ground.ts'

const KINDS = 'services,deployments,replicasets,statefulsets,pods,configmaps,endpoints,endpointslices'

interface KubeObject {
  kind: string
  /** Of an EndpointSlice: a set, which its controller writes in any order. */
  endpoints?: unknown[]
  ports?: unknown[]
  metadata: Record<string, unknown> & { name: string; annotations?: Record<string, string> }
}

/** Sorted lines. Versions, managed fields, and the endpoint controllers' own notes of their last write are left out. */
export async function objects(namespace = NAMESPACE): Promise<string[]> {
  const { items } = JSON.parse(await kubectl(['-n', namespace, 'get', KINDS, '-o', 'json'])) as { items: KubeObject[] }
  return items.map(describe).sort((a, b) => a.localeCompare(b))
}

function describe({ metadata, ...object }: KubeObject): string {
  const { resourceVersion: _version, managedFields: _fields, generation, annotations, ...rest } = metadata
  const kept = Object.entries(annotations ?? {}).filter(
    ([key]) => key !== 'endpoints.kubernetes.io/last-change-trigger-time'
  )
  if (object.kind !== 'EndpointSlice') Object.assign(rest, { generation })
  else Object.assign(object, { endpoints: sorted(object.endpoints), ports: sorted(object.ports) })
  return `${object.kind} ${metadata.name} ${JSON.stringify({ ...object, metadata: { ...rest, annotations: kept } })}`
}

function sorted(items: unknown[] = []): string[] {
  return items.map(item => JSON.stringify(item)).sort((a, b) => a.localeCompare(b))
}
