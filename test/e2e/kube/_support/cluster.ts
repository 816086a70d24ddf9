// The real cluster of $KUBECONFIG, as its administrator, and namespaces of our own in it.
import { randomBytes } from 'node:crypto'
import { parse } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import ava, { type ExecutionContext } from 'ava'
import { type Cluster, loadCluster } from '../../../../lib/kube/api/client.ts'
import { readKubeconfig } from '../../../../lib/kube/api/kubeconfig.ts'
import { NAMESPACES, type Request, type Resource } from '../../../../lib/kube/api/resource.ts'
import { folder, kubeconfig, write } from '../../../kube/_support/kubeconfig.ts'

const KUBECONFIG = process.env.KUBECONFIG
if (KUBECONFIG === undefined)
  console.error(`${parse(process.argv[1] ?? '').name}: skipped, because KUBECONFIG names no cluster`)

/** One test after the other: each has the cluster for itself. */
export const e2e = KUBECONFIG === undefined ? ava.serial.skip : ava.serial
export const IMAGE = process.env.KT_TEST_IMAGE ?? 'kt.local/node:20'
export const AGENT_PORT = 7070
/** An agent that says a word and then sends back what it gets. */
export const ECHO_AGENT = `
const server = require('node:net').createServer(socket => { socket.on('error', () => {}); socket.write('!'); socket.pipe(socket) })
server.listen(${AGENT_PORT}, '127.0.0.1'); process.on('SIGTERM', () => process.exit(0))`
export const PUBLIC_KEY = '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n'

const SERVICE_ACCOUNTS: Resource = { group: '', version: 'v1', resource: 'serviceaccounts' }
const ROLES: Resource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'roles' }
const ROLE_BINDINGS: Resource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'rolebindings' }

/** The administrator in a new namespace, which goes with the test. */
export async function freshNamespace(t: ExecutionContext, labels: Record<string, string> = {}): Promise<Cluster> {
  const admin = await loadCluster({})
  const namespace = `kube-e2e-${randomBytes(4).toString('hex')}`
  await admin.api.call({ ...NAMESPACES, verb: 'create', body: { metadata: { name: namespace, labels } } })
  t.teardown(async () => {
    await admin.api.call({ ...NAMESPACES, verb: 'delete', name: namespace })
    admin.close()
  })
  const cluster = await loadCluster({ namespace })
  t.teardown(() => cluster.close())
  // The API server admits no pod before the namespace has its account.
  await until(async () => (await list(cluster, SERVICE_ACCOUNTS)).length > 0)
  return cluster
}

/** Names of what is in the namespace. */
export async function list(
  cluster: Cluster,
  resource: Resource,
  query: Record<string, string> = {}
): Promise<string[]> {
  const { items } = await cluster.api.call<{ items: { metadata: { name: string } }[] }>({
    ...resource,
    verb: 'list',
    namespace: cluster.namespace,
    query
  })
  return items.map(({ metadata }) => metadata.name)
}

export async function create(cluster: Cluster, request: Omit<Request, 'verb' | 'namespace'>): Promise<void> {
  await cluster.api.call({ ...request, verb: 'create', namespace: cluster.namespace })
}

/** A service account with these rules in the namespace and none outside: its token. */
export async function accountToken(cluster: Cluster, rules: object[]): Promise<string> {
  const metadata = { name: 'developer' }
  await create(cluster, { ...SERVICE_ACCOUNTS, body: { metadata } })
  await create(cluster, { ...ROLES, body: { metadata, rules } })
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name }
  const subjects = [{ kind: 'ServiceAccount', name: metadata.name, namespace: cluster.namespace }]
  await create(cluster, { ...ROLE_BINDINGS, body: { metadata, roleRef, subjects } })
  const token: { status: { token: string } } = await cluster.api.call({
    ...SERVICE_ACCOUNTS,
    verb: 'create',
    namespace: cluster.namespace,
    name: metadata.name,
    subresource: 'token',
    body: { spec: {} }
  })
  return token.status.token
}

/** The rights that README asks for, in one namespace. */
export const DEVELOPER_RULES = [
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'create', 'delete'] },
  { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'delete', 'get'] },
  { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch', 'create'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] }
]

/** The cluster of $KUBECONFIG with another user, or with changes to the cluster entry. */
export async function as(t: ExecutionContext, namespace: string, user: object, change: object = {}): Promise<Cluster> {
  const cluster = await loadCluster({ kubeconfig: fileFor(namespace, user, change) })
  t.teardown(() => cluster.close())
  return cluster
}

export function fileFor(namespace: string, user: object, change: object = {}): string {
  return write(folder(), 'config', kubeconfig('e2e', { ...readKubeconfig({}).cluster, ...change }, user, namespace))
}

/** The administrator's own entry, for changes to the way only. */
export function adminUser(): object {
  return readKubeconfig({}).user
}

/** Wait for something that has no event to wait for; fails after 20 s. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(50)) if (await condition()) return
  throw new Error(`not within 20 s: ${condition}`)
}
