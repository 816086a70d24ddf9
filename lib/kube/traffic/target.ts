// TARGET on the command line: what of the cluster is meant, and which Service that is.
import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Service } from '../api/client.ts'
import { DEPLOYMENTS, SERVICES, STATEFUL_SETS } from '../api/resource.ts'

type TargetKind = 'service' | 'deployment' | 'statefulset' | 'pod'

export interface Target {
  kind: TargetKind
  name: string
}

/** kubectl's words for a kind, all of them. */
const KINDS: Record<string, TargetKind> = {
  svc: 'service',
  service: 'service',
  services: 'service',
  deploy: 'deployment',
  deployment: 'deployment',
  deployments: 'deployment',
  sts: 'statefulset',
  statefulset: 'statefulset',
  statefulsets: 'statefulset',
  po: 'pod',
  pod: 'pod',
  pods: 'pod'
}

/** A name of Kubernetes (RFC 1123 subdomain); whether there is such an object is another question. */
const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/

/** `web`, `svc/web`, `deploy/web`…: throws KT_USAGE for anything else. */
export function parseTarget(text: string): Target {
  const [first = '', second, ...more] = text.split('/')
  const kind = second === undefined ? 'service' : KINDS[first.toLowerCase()]
  const name = second ?? first
  if (kind === undefined)
    throw usage(`"${first}" is no kind of target`, 'write service/NAME, deployment/NAME or statefulset/NAME')
  if (more.length > 0 || !NAME.test(name) || name.length > 253)
    throw usage(`"${text}" is no target`, 'write NAME of a service, or KIND/NAME')
  return { kind, name }
}

/** What an exchange by selector can take over: a Service, or the workload behind exactly one. Throws KT_USAGE for a pod. */
export function demandSelectorTarget({ kind, name }: Target): void {
  if (kind !== 'pod') return
  throw usage(
    `pod/${name} has no selector: a single pod cannot be exchanged`,
    'name the service in front of it, or, for a port at which nothing in the pod listens: --mode ephemeral'
  )
}

interface Workload {
  spec?: { template?: { metadata?: { labels?: Record<string, string> } } }
}

/** The Service a target means. Throws KT_NOT_FOUND when there is none, KT_USAGE when a workload has several. */
export async function findService(cluster: Cluster, target: Target, signal?: AbortSignal): Promise<Service> {
  demandSelectorTarget(target)
  const { api, namespace } = cluster
  const { kind, name } = target
  try {
    if (kind === 'service') return await api.call<Service>({ ...SERVICES, verb: 'get', namespace, name }, signal)
    const resource = kind === 'deployment' ? DEPLOYMENTS : STATEFUL_SETS
    const [workload, { items }] = await Promise.all([
      api.call<Workload>({ ...resource, verb: 'get', namespace, name }, signal),
      api.call<{ items: Service[] }>({ ...SERVICES, verb: 'list', namespace }, signal)
    ])
    return onlyOne(target, servicesOf(workload.spec?.template?.metadata?.labels ?? {}, items))
  } catch (cause) {
    if (statusOf(cause) !== 404) throw cause
    throw new KtError('KT_NOT_FOUND', `there is no ${kind} "${name}" in namespace ${namespace}`, {
      hint: `kubectl -n ${namespace} get ${kind}s lists them; another namespace: --namespace`,
      cause
    })
  }
}

/** Services that select pods with these labels, kt's own left out. */
export function servicesOf(labels: Record<string, string>, services: readonly Service[]): Service[] {
  return services.filter(({ metadata, spec }) => {
    const selector = Object.entries(spec?.selector ?? {})
    return (
      selector.length > 0 &&
      metadata?.labels?.['control-by'] !== 'kt' &&
      selector.every(([key, value]) => labels[key] === value)
    )
  })
}

function onlyOne({ kind, name }: Target, services: Service[]): Service {
  const [only, ...others] = services
  const names = services.map(({ metadata }) => metadata?.name).join(', ')
  if (only === undefined)
    throw new KtError('KT_NOT_FOUND', `no service leads to the pods of ${kind} "${name}"`, {
      hint: 'kt exchange takes over a service; make one first'
    })
  if (others.length > 0)
    throw usage(`${kind} "${name}" is behind several services: ${names}`, 'name one of them: kt exchange SERVICE')
  return only
}

function usage(message: string, hint: string): KtError {
  return new KtError('KT_USAGE', message, { hint })
}
