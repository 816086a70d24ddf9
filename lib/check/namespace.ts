// What the namespace allows: rights per command, the shadow pod, its image, the cluster's own DNS.
import { checkAccess } from '../kube/api/access.ts'
import { ApiStatus, byRbac, resourceName } from '../kube/api/api-error.ts'
import type { Cluster, EndpointSlice, Namespace, Node } from '../kube/api/client.ts'
import { ENDPOINT_SLICES, EVENTS, NAMESPACES, NODES, PODS } from '../kube/api/resource.ts'
import { RIGHTS_COMMANDS, type RightsCommand, rightsOf } from '../kube/api/rights.ts'
import { agentSource } from '../kube/shadow/agent-source.ts'
import { podManifest, shadowName } from '../kube/shadow/shadow-manifest.ts'
import { type Finding, fault, ok, unknown, warning } from './finding.ts'

/** Label of a namespace (https://kubernetes.io/docs/concepts/security/pod-security-admission/). */
const ENFORCE = 'pod-security.kubernetes.io/enforce'
/** Nodes that are looked at for the image. */
const NODES_MAX = 100
const EVENTS_MAX = 500

/** One finding for each command; only what kt up lacks is a fault. */
export async function checkRights(cluster: Cluster, signal: AbortSignal): Promise<Finding[]> {
  return await Promise.all(RIGHTS_COMMANDS.map(command => rightsFinding(cluster, command, signal)))
}

async function rightsFinding(cluster: Cluster, command: RightsCommand, signal: AbortSignal): Promise<Finding> {
  const { namespace } = cluster
  const rights = rightsOf(command, namespace)
  const missing = await checkAccess(cluster, rights, signal)
  const check = `rights-${command}`
  if (missing.length === 0) return ok(check, `kt ${command}: all ${rights.length} rights in namespace ${namespace}`)
  const list = missing.map(right => `${right.verb} ${resourceName(right)}`).join(', ')
  const text = `kt ${command}: missing in namespace ${namespace}: ${list}`
  const fix = `kt rbac ${command} -n ${namespace} prints a role to ask for`
  return command === 'up' ? fault(check, text, fix) : warning(check, text, fix)
}

/** Would the shadow pod be admitted? Asked as a dry run: Pod Security, quotas and policies all have their say. */
export async function checkPod(cluster: Cluster, image: string, signal: AbortSignal): Promise<Finding> {
  const { api, namespace, pods } = cluster
  const level = await api
    .call<Namespace>({ ...NAMESPACES, verb: 'get', name: namespace }, signal)
    .then(found => found.metadata?.labels?.[ENFORCE])
    .catch(() => undefined)
  const security = level === undefined ? 'no Pod Security level' : `Pod Security "${level}"`
  const body = podManifest(shadowName(), { ...pods, image, agent: await agentSource(), publicKey: '' })
  try {
    await api.call({ ...PODS, verb: 'create', namespace, query: { dryRun: 'All' }, body }, signal)
    return ok('pod', `namespace ${namespace} admits the shadow pod (${security})`)
  } catch (error) {
    const status = (error as Error).cause
    if (!(status instanceof ApiStatus)) throw error
    if (byRbac(status)) return unknown('pod', 'pods may not be created, so it could not be tried')
    return fault(
      'pod',
      `namespace ${namespace} does not admit the shadow pod: ${status.message}`,
      podFix(status.message)
    )
  }
}

function podFix(message: string): string {
  if (/quota/i.test(message)) return 'ask for more quota, free some, or ask for less: --podQuota 0.1c,128m'
  if (/PodSecurity/i.test(message))
    return 'the pod passes "restricted": a policy beside it forbids it; another --namespace'
  if (/serviceaccount|service account/i.test(message)) return 'another --serviceAccount, or one that exists'
  return 'a policy of the namespace forbids it; another one is chosen with --namespace'
}

interface EventList {
  items: { reason?: string; message?: string; lastTimestamp?: string; eventTime?: string }[]
}

/** Can nodes get the image? Told by the nodes that have it, and by what the kubelet said when it last tried. */
export async function checkImage(cluster: Cluster, image: string, signal: AbortSignal): Promise<Finding> {
  const { api, namespace } = cluster
  const [holders, events] = await Promise.all([
    nodesWith(cluster, image, signal),
    api
      .call<EventList>({ ...EVENTS, verb: 'list', namespace, query: { limit: String(EVENTS_MAX) } }, signal)
      .catch((): EventList => ({ items: [] }))
  ])
  const about = events.items
    .filter(({ message = '' }) => message.includes(`"${image}"`))
    .sort((a, b) => timeOf(a).localeCompare(timeOf(b)))
  const last = about.findLast(({ reason }) => reason === 'Failed' || reason === 'Pulled')
  if (last?.reason === 'Failed')
    return fault(
      'image',
      `nodes cannot pull ${image}: ${(last.message ?? '').replace(/\s+/g, ' ').slice(0, 300)}`,
      'another Node image with --image, a secret with --imagePullSecret; kt config set global.image IMAGE keeps it'
    )
  if (holders.length > 0)
    return ok('image', `${image} is there on ${holders.length} node${holders.length === 1 ? '' : 's'}`)
  if (last !== undefined) return ok('image', `${image} has been pulled in namespace ${namespace}`)
  return unknown('image', `${image}: no node is known to have it; the first kt up pulls it`)
}

async function nodesWith({ api }: Cluster, image: string, signal: AbortSignal): Promise<string[]> {
  const query = { limit: String(NODES_MAX) }
  const list = await api.call<{ items: Node[] }>({ ...NODES, verb: 'list', query }, signal).catch(() => ({ items: [] }))
  const full = fullName(image)
  return list.items
    .filter(({ status }) => status?.images?.some(({ names }) => names?.some(name => fullName(name) === full)))
    .map(({ metadata }) => metadata?.name ?? '')
}

/** `node:24` is short for `docker.io/library/node:24`. */
export function fullName(image: string): string {
  const [first = '', ...rest] = image.split('/')
  const registry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const path = registry ? image : `docker.io/${rest.length === 0 ? `library/${image}` : image}`
  return /[:@][^/]*$/.test(path) ? path : `${path}:latest`
}

const timeOf = ({ lastTimestamp, eventTime }: EventList['items'][number]): string => lastTimestamp ?? eventTime ?? ''

/** Somebody must answer for the cluster's own DNS; kt asks it for what the watch does not know. */
export async function checkDns({ api }: Cluster, signal: AbortSignal): Promise<Finding> {
  const namespace = 'kube-system'
  const query = { labelSelector: 'kubernetes.io/service-name=kube-dns' }
  try {
    const { items } = await api.call<{ items: EndpointSlice[] }>(
      { ...ENDPOINT_SLICES, verb: 'list', namespace, query },
      signal
    )
    const ready = items
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
    if (items.length === 0) return unknown('cluster-dns', `there is no service kube-dns in ${namespace}`)
    if (ready.length > 0)
      return ok('cluster-dns', `kube-dns has ${ready.length} ready pod${ready.length === 1 ? '' : 's'}`)
    const fix = `kubectl -n ${namespace} get pods -l k8s-app=kube-dns tells why`
    return warning('cluster-dns', 'no pod of kube-dns is ready: only services are found by name', fix)
  } catch {
    return unknown('cluster-dns', `${namespace} may not be read`)
  }
}
