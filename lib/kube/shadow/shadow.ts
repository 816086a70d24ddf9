// The shadow pod's life: make it, wait for it by watch, tell what keeps it, keep it known as alive, remove it.
import { KtError } from '../../errors.ts'
import { unavailable } from '../api/api.ts'
import { ApiStatus, byRbac, statusOf } from '../api/api-error.ts'
import type { Cluster, ConfigMap, Pod } from '../api/client.ts'
import { CONFIG_MAPS, PODS } from '../api/resource.ts'
import { CONTROL_LABEL, HEARTBEAT_ANNOTATION, ROLE_LABEL } from '../names.ts'
import { configMapManifest, podManifest, type ShadowSpec, shadowName } from './shadow-manifest.ts'
import { untilRunning, type WaitOptions, watchPod } from './shadow-wait.ts'

/** A removed pod is gone after its grace of a second and what the kubelet needs; a dead node never confirms. */
const REMOVE_LIMIT_MS = 15_000

export type ShadowOptions = ShadowSpec & WaitOptions

/** A running shadow. */
export interface Shadow {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  /** Canonical strings, one per family; may be empty when the port answered before the cluster knew them. */
  readonly podAddresses: string[]
  readonly nodeName: string
  /** Tell the cluster that somebody still needs it; throws KtError when that is not possible. */
  beat(): Promise<void>
  /** Change labels and annotations of the pod; null removes one. Throws KtError. */
  mark(change: Marks): Promise<void>
  /** Delete it and what belongs to it. Resolves when it is gone, or with `wait: false` when the deletion is accepted. Never takes longer than 15 s. */
  remove(options?: { wait?: boolean }): Promise<void>
}

export interface Marks {
  labels?: Record<string, string | null>
  annotations?: Record<string, string | null>
}

/** Make a shadow and wait until its container runs, one with an `exposure` until its pod is Ready. Throws KtError; nothing is then left in the cluster. */
export async function createShadow(cluster: Cluster, spec: ShadowOptions): Promise<Shadow> {
  const { api, namespace } = cluster
  const options = { ...cluster.pods, ...spec }
  const { signal } = options
  const { name, uid } = await createNamed(cluster, options)
  try {
    // After the pod, because it belongs to the pod; the kubelet waits for it.
    await api.call<ConfigMap>(
      { ...CONFIG_MAPS, verb: 'create', namespace, body: configMapManifest(name, uid, options) },
      signal
    )
    const running = await untilRunning(cluster, name, uid, { ...options, ready: options.exposure !== undefined })
    return {
      name,
      namespace,
      uid,
      podAddresses: running.status?.podIPs?.flatMap(({ ip }) => ip ?? []) ?? [],
      nodeName: running.spec?.nodeName ?? '',
      beat: () => beat(cluster, name),
      mark: metadata => mark(cluster, name, metadata),
      remove: how => remove(cluster, name, uid, how?.wait ?? true)
    }
  } catch (error) {
    await remove(cluster, name, uid, false).catch(() => {}) // the first error is the one to tell
    throw error
  }
}

/** By its exact name if that is wanted; one of that name which still goes, or was left behind, need not be waited for. */
async function createNamed(cluster: Cluster, options: ShadowOptions): Promise<{ name: string; uid: string }> {
  const { exposure } = options
  if (exposure?.exactly) {
    try {
      return { name: exposure.prefix, uid: await createPod(cluster, exposure.prefix, options) }
    } catch (error) {
      if (statusOf(error) !== 409) throw error
    }
  }
  const name = shadowName(exposure)
  return { name, uid: await createPod(cluster, name, options) }
}

/** The new pod's uid. */
async function createPod(cluster: Cluster, name: string, options: ShadowOptions): Promise<string> {
  const { api, namespace } = cluster
  try {
    const pod = await api.call<Pod>(
      { ...PODS, verb: 'create', namespace, body: podManifest(name, options) },
      options.signal
    )
    return pod.metadata?.uid ?? ''
  } catch (error) {
    const status = error instanceof KtError ? error.cause : undefined
    // No answer does not mean that nothing was made; the name is random, so it can only be ours.
    if (!(status instanceof ApiStatus)) await remove(cluster, name, undefined, false).catch(() => {})
    else if ([400, 403, 422].includes(status.status) && !byRbac(status))
      throw new KtError('KT_SHADOW_FAILED', `the cluster does not admit the shadow pod: ${status.message}`, {
        hint: 'a policy of the namespace forbids it; another one can be given with --namespace',
        cause: status
      })
    throw error
  }
}

async function beat(cluster: Cluster, name: string): Promise<void> {
  await mark(cluster, name, { annotations: { [HEARTBEAT_ANNOTATION]: String(Math.floor(Date.now() / 1000)) } })
}

async function mark({ api, namespace }: Cluster, name: string, metadata: Marks): Promise<void> {
  await api.call({ ...PODS, verb: 'patch', namespace, name, body: { metadata } })
}

/** Delete the shadows of `kt up` in the namespace whose agent has ended by itself, because its laptop never came back. */
export async function removeEnded({ api, namespace }: Cluster): Promise<void> {
  const query = { labelSelector: `${CONTROL_LABEL}=kt,${ROLE_LABEL}=shadow-connect` }
  const { items = [] } = await api.call<{ items?: Pod[] }>({ ...PODS, verb: 'list', namespace, query })
  const ended = items.filter(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed')
  // Their ConfigMaps belong to them and go with them.
  await Promise.all(
    ended.map(({ metadata }) => api.call({ ...PODS, verb: 'delete', namespace, name: metadata?.name ?? '' }))
  )
}

async function remove(cluster: Cluster, name: string, uid: string | undefined, wait: boolean): Promise<void> {
  const { api, namespace } = cluster
  const limit = AbortSignal.timeout(REMOVE_LIMIT_MS)
  const [pod, configMap] = await Promise.allSettled([
    api.call(
      { ...PODS, verb: 'delete', namespace, name, ...(uid === undefined ? {} : { body: { preconditions: { uid } } }) },
      limit
    ),
    api.call({ ...CONFIG_MAPS, verb: 'delete', namespace, name }, limit) // would be collected too, only later
  ])
  // 409: the name is already another pod's. The ConfigMap may lack the right; its owner's end collects it.
  if (pod.status === 'rejected' && ![404, 409].includes(statusOf(pod.reason))) throw pod.reason
  if (configMap.status === 'rejected' && !unavailable(configMap.reason)) throw configMap.reason
  if (!wait || pod.status === 'rejected') return
  const gone = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  limit.addEventListener('abort', () => resolve(), { once: true })
  watchPod(cluster, name, gone.signal, object => {
    if (object?.metadata?.uid !== uid) resolve()
  }).catch(reject)
  await promise.finally(() => gone.abort())
}
