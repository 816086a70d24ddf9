// What an exchange by scaling takes: one workload, and every service in front of it.
import { KtError } from '../../errors.ts'
import type { Cluster, Pod, Service } from '../api/client.ts'
import { SERVICES } from '../api/resource.ts'
import { exchangeState, originalSelector } from './exchange-plan.ts'
import { type ServicePort, servicePorts } from './ports.ts'
import { type Replicas, WORKLOADS, type WorkloadKind, workloadName } from './scale.ts'
import { servicesOf, type Target } from './target.ts'

interface WorkloadObject {
  metadata?: { name?: string }
  spec?: { replicas?: number; template?: Pod }
}

interface Workload extends Replicas {
  /** What its pods are made from. */
  template: Pod
}

export interface Scalable {
  workload: Workload
  /** All that lead to its pods, and to no others; the one that was asked for, or the first by name, is the first. */
  services: Service[]
  /** Their ports; the numbers behind names are read from the template, so the pods need not run. */
  ports: ServicePort[]
}

/** Throws KT_NOT_FOUND or KT_USAGE, with the mode to use, where no single workload can be taken to 0. */
export async function findScalable(cluster: Cluster, target: Target, signal?: AbortSignal): Promise<Scalable> {
  const { api, namespace } = cluster
  const [services, workloads] = await Promise.all([
    api.call<{ items: Service[] }>({ ...SERVICES, verb: 'list', namespace }, signal),
    listWorkloads(cluster, signal)
  ])
  const workload = theOne(cluster, target, services.items, workloads)
  const leading = services.items
    .filter(service => leadsTo(service, workload))
    .sort((a, b) => Number(isTarget(b, target)) - Number(isTarget(a, target)) || compareNames(a, b))
  if (leading.length === 0)
    throw new KtError('KT_NOT_FOUND', `no service leads to the pods of ${workload.kind} "${workload.name}"`, {
      hint: 'kt exchange takes over a service; make one first'
    })
  for (const service of leading) demandAlone(service, workload, workloads)
  return { workload, services: leading, ports: leading.flatMap(service => servicePorts(service, [workload.template])) }
}

async function listWorkloads({ api, namespace }: Cluster, signal?: AbortSignal): Promise<Workload[]> {
  const kinds = Object.keys(WORKLOADS) as WorkloadKind[]
  const lists = await Promise.all(
    kinds.map(kind => api.call<{ items: WorkloadObject[] }>({ ...WORKLOADS[kind], verb: 'list', namespace }, signal))
  )
  return kinds.flatMap((kind, i) =>
    lists[i]!.items.map(({ metadata, spec }) => ({
      kind,
      name: metadata?.name ?? '',
      replicas: spec?.replicas ?? 1,
      template: spec?.template ?? {}
    }))
  )
}

function theOne({ namespace }: Cluster, target: Target, services: Service[], workloads: Workload[]): Workload {
  const { kind, name } = target
  const missing = (): KtError =>
    new KtError('KT_NOT_FOUND', `there is no ${kind} "${name}" in namespace ${namespace}`, {
      hint: `kubectl -n ${namespace} get ${kind}s lists them; another namespace: --namespace`
    })
  if (kind !== 'service') {
    const found = workloads.find(workload => workload.kind === kind && workload.name === name)
    if (found === undefined) throw missing()
    return found
  }
  const service = services.find(({ metadata }) => metadata?.name === name)
  if (service === undefined) throw missing()
  const [workload] = workloads.filter(workload => leadsTo(service, workload))
  if (workload !== undefined) return workload
  throw new KtError('KT_USAGE', `no Deployment or StatefulSet is behind service ${name}: nothing can be scaled to 0`, {
    hint: `--mode selector leads service ${name} here and leaves its pods running`
  })
}

/** A service with pods of several workloads cannot follow one of them. */
function demandAlone(service: Service, workload: Workload, workloads: Workload[]): void {
  const others = workloads.filter(other => other !== workload && leadsTo(service, other)).map(workloadName)
  if (others.length === 0) return
  const name = service.metadata?.name ?? ''
  throw new KtError('KT_USAGE', `service ${name} leads to ${workloadName(workload)} and to ${others.join(', ')}`, {
    hint: `--mode selector takes all of service ${name} and leaves the pods running`
  })
}

/** As the service selects without what kt or kt-connect has done to it. */
function leadsTo(service: Service, { template }: Workload): boolean {
  const state = exchangeState(service)
  const selector = (state.kind === 'kt-connect' ? state.selector : undefined) ?? originalSelector(service)
  const original = { ...service, spec: { ...service.spec, selector } }
  return servicesOf(template.metadata?.labels ?? {}, [original]).length > 0
}

const isTarget = ({ metadata }: Service, { kind, name }: Target): boolean =>
  kind === 'service' && metadata?.name === name

function compareNames(a: Service, b: Service): number {
  return (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? '')
}
