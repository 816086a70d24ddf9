// Workloads and services as their owners wrote them: to compare, and how many pods there are.
import { kubectl } from '../../_support/kubectl.ts'
import { NAMESPACE, RULES } from './ground.ts'

/** What `--mode scale` and `--mode ephemeral` ask for beside the rest. */
export const MODE_RULES = [
  ...RULES,
  { group: 'apps', resource: 'deployments', verbs: ['get', 'list', 'watch'] },
  { group: 'apps', resource: 'statefulsets', verbs: ['get', 'list', 'watch'] },
  { group: 'apps', resource: 'deployments/scale', verbs: ['get', 'patch'] },
  { group: 'apps', resource: 'statefulsets/scale', verbs: ['get', 'patch'] },
  { group: 'autoscaling', resource: 'horizontalpodautoscalers', verbs: ['list'] },
  { group: 'keda.sh', resource: 'scaledobjects', verbs: ['list'] },
  { resource: 'pods/ephemeralcontainers', verbs: ['patch'] }
]

interface KubeObject {
  kind: string
  metadata: Record<string, unknown> & { name: string }
  spec?: unknown
}

/** One line for each service and workload, byte for byte but for what the API server counts: versions, managed fields, generation; and without status. */
export async function written(): Promise<string[]> {
  const kinds = 'services,deployments,statefulsets,daemonsets,replicasets'
  const { items } = JSON.parse(await kubectl(['-n', NAMESPACE, 'get', kinds, '-o', 'json'])) as { items: KubeObject[] }
  const lines = items.map(({ kind, metadata, spec }) => {
    const { resourceVersion: _version, managedFields: _fields, generation: _generation, ...rest } = metadata
    return `${kind} ${metadata.name} ${JSON.stringify({ metadata: rest, spec })}`
  })
  return lines.sort((a, b) => a.localeCompare(b))
}

/** Pods with `app=name` that are not kt's: names and whether they are on their way out. */
export async function podsOf(name: string): Promise<string[]> {
  const path = 'jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{"\\n"}{end}'
  const pods = await kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', `app=${name},control-by!=kt`, '-o', path])
  return pods.split('\n').filter(Boolean)
}

/** Is the service's only endpoint a pod of kt's? Asked here, because a headless service is heard of when a DNS answer expires, 30 s later. */
export async function leadsToShadow(service: string): Promise<boolean> {
  const addresses = 'jsonpath={.items[*].endpoints[*].addresses[0]}'
  const [endpoints, shadow] = await Promise.all([
    kubectl(['-n', NAMESPACE, 'get', 'endpointslices', '-l', `kubernetes.io/service-name=${service}`, '-o', addresses]),
    kubectl([
      '-n',
      NAMESPACE,
      'get',
      'pods',
      '-l',
      'kt-role=shadow-exchange',
      '-o',
      'jsonpath={.items[*].status.podIP}'
    ])
  ])
  return endpoints !== '' && endpoints === shadow
}

/** `spec.replicas/status.readyReplicas`. */
export async function replicas(workload: string): Promise<string> {
  return await kubectl(['-n', NAMESPACE, 'get', workload, '-o', 'jsonpath={.spec.replicas}/{.status.readyReplicas}'])
}
