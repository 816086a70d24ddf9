// The routers of a mesh in the cluster: made, told of new routes, dressed like the service's own pods, taken away.
import { setTimeout as sleep } from 'node:timers/promises'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Deployment, Pod, Service } from '../api/client.ts'
import { CONFIG_MAPS, DEPLOYMENTS, PODS } from '../api/resource.ts'
import { HEARTBEAT_ANNOTATION, MESH_KEY, routerName, stuntmanName } from '../names.ts'
import { markPods } from '../shadow/mark-pods.ts'
import { AGENT_FILE } from '../shadow/shadow-manifest.ts'
import { judge } from '../shadow/shadow-verdict.ts'
import { createStuntman, deleteService, getService, settled } from '../traffic/exchange.ts'
import { now } from '../traffic/owner.ts'
import { type RouterSpec, routerManifest } from './router-manifest.ts'
import { leadToOriginals, meshField, stuntmanMesh } from './service.ts'
import type { Mesh } from './table.ts'

/** Written to the routers' pods after each change of the routes: the kubelet then looks at once, and not within a minute. */
const ROUTES_ANNOTATION = 'kt-routes'
/** Routers answer for as long as callers wait, at most so long for us, ms: by then they know the originals without the stuntman. */
const DRAIN_LIMIT_MS = 10_000
const DRAIN_LOOK_MS = 250

/** Key of the agent's bundle in the mesh's ConfigMap. */
export const routerFiles = (agent: string): Record<string, string> => ({ [AGENT_FILE]: agent })

/** Stuntman and routers are there afterwards, whoever has made them. Throws KT_CONFLICT where an exchange has the stuntman. */
export async function ensureRouter(cluster: Cluster, service: Service, spec: RouterSpec): Promise<void> {
  const { api, namespace } = cluster
  await ensureStuntman(cluster, service, spec)
  const body: Deployment = routerManifest(spec, cluster.pods)
  await api.call({ ...DEPLOYMENTS, verb: 'create', namespace, body }).catch((error: unknown) => {
    if (statusOf(error) !== 409) throw error
  })
}

async function ensureStuntman(cluster: Cluster, service: Service, { mesh, annotations }: RouterSpec): Promise<void> {
  const field = meshField(mesh)
  try {
    await createStuntman(cluster, service, annotations, field)
  } catch (error) {
    const found = await getService(cluster, stuntmanName(mesh.service))
    if (found === undefined || stuntmanMesh(found) !== mesh.token) throw error
  }
}

/** Say to stuntman and Deployment that somebody needs them. */
export async function beatRouter({ api, namespace }: Cluster, service: string): Promise<void> {
  const body = { metadata: { annotations: { [HEARTBEAT_ANNOTATION]: now() } } }
  await api.call({ ...DEPLOYMENTS, verb: 'patch', namespace, name: routerName(service), body })
}

/** The routes have changed: every router reads them within a moment. */
export async function touchRouters(cluster: Cluster, { token }: Mesh): Promise<void> {
  const annotations = { [ROUTES_ANNOTATION]: String(Date.now()) }
  await markPods(cluster, `${MESH_KEY}=${token}`, { annotations })
}

/** The service's selector is another one now: routers that are there, and those to come, wear it too. */
export async function redressRouters(
  cluster: Cluster,
  { service, token, mode }: Mesh,
  before: Record<string, string>,
  wanted: Record<string, string>
): Promise<void> {
  if (mode !== 'narrow') return
  const { api, namespace } = cluster
  const gone = Object.fromEntries(Object.keys(before).map(key => [key, null]))
  const labels = { ...gone, ...wanted }
  await markPods(cluster, `${MESH_KEY}=${token}`, { labels })
  const body = { spec: { template: { metadata: { labels } } } }
  await api.call({ ...DEPLOYMENTS, verb: 'patch', namespace, name: routerName(service), body })
}

/** Give the service back and take the routers out of it; resolves when every node has heard of it. */
export async function retireRouters(
  cluster: Cluster,
  mesh: Pick<Mesh, 'service' | 'token' | 'mode'>,
  selector: Record<string, string>
): Promise<void> {
  await leadToOriginals(cluster, mesh)
  const labels = Object.fromEntries(Object.keys(selector).map(key => [key, null]))
  if (mesh.mode === 'narrow') await markPods(cluster, `${MESH_KEY}=${mesh.token}`, { labels })
  await settled()
}

/** Routers, then their stuntman, and at last the ConfigMap, which keeps others out until then. One line for each. */
export async function removeRouters(cluster: Cluster, service: string, token: string): Promise<string[]> {
  const { api, namespace } = cluster
  const name = routerName(service)
  const gone = (error: unknown): void => {
    if (statusOf(error) !== 404) throw error
  }
  await api.call({ ...DEPLOYMENTS, verb: 'delete', namespace, name }).catch(gone)
  await drained(cluster, token)
  await deleteService(cluster, stuntmanName(service))
  await api.call({ ...CONFIG_MAPS, verb: 'delete', namespace, name }).catch(gone)
  return [`Router ${name} removed`, `Stuntman service ${stuntmanName(service)} removed`]
}

/** Why no router is ready, in the cluster's own words. */
export async function routerTrouble({ api, namespace }: Cluster, { service, token }: Mesh): Promise<string> {
  const query = { labelSelector: `${MESH_KEY}=${token}` }
  const [deployment, { items }] = await Promise.all([
    api.call<Deployment>({ ...DEPLOYMENTS, verb: 'get', namespace, name: routerName(service) }),
    api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query })
  ])
  // Quotas and policies refuse the pod itself; everything later is in its status.
  const refused = deployment.status?.conditions?.find(
    ({ type, status }) => type === 'ReplicaFailure' && status === 'True'
  )
  const verdicts = items.map(pod => judge(pod, new Map()))
  const told = verdicts.find(verdict => verdict.state === 'never') ?? verdicts.find(({ state }) => state === 'waiting')
  return (
    refused?.message ?? (told !== undefined && 'text' in told ? told.text : 'its port of readiness does not answer')
  )
}

async function drained({ api, namespace }: Cluster, token: string): Promise<void> {
  const until = performance.now() + DRAIN_LIMIT_MS
  const query = { labelSelector: `${MESH_KEY}=${token}` }
  while (performance.now() < until) {
    const { items } = await api.call<{ items: Pod[] }>({ ...PODS, verb: 'list', namespace, query })
    if (items.length === 0) return
    await sleep(DRAIN_LOOK_MS)
  }
}
