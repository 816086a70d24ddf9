// What the cluster knows about kt in a namespace: objects, events and the agents' last words. Never a Secret, never the data of a ConfigMap.
import type { Cluster, Pod, Service } from './api/client.ts'
import { CONFIG_MAPS, EVENTS, PODS, type Request } from './api/resource.ts'
import { serverVersion } from './api/server-version.ts'
import { CONTROL_LABEL } from './names.ts'
import { findRemains } from './traffic/recover.ts'

const LOG_LINES = 200
const LOG_MAX_BYTES = 128 * 1024
const EVENTS_MAX = 200

/** As a value for YAML; what may not be read has the refusal in its place. */
export async function diagnostics(cluster: Cluster, signal: AbortSignal): Promise<object> {
  const { api, namespace, contextName, server, proxy } = cluster
  const tried = <T>(asked: Promise<T>): Promise<T | string> => asked.catch((error: Error) => `(${error.message})`)
  const remains = await tried(findRemains(cluster, signal))
  const pods = typeof remains === 'string' ? [] : remains.pods
  const query = { limit: String(EVENTS_MAX) }
  return {
    context: contextName,
    namespace,
    server: server.href,
    proxy: proxy?.host ?? '',
    version: await tried(serverVersion(cluster, signal)),
    pods: pods.map(withoutNoise),
    services: typeof remains === 'string' ? remains : remains.services.filter(isTouched).map(withoutNoise),
    configMaps: await tried(configMapNames(cluster, signal)),
    events: await tried(api.call({ ...EVENTS, verb: 'list', namespace, query }, signal).then(ofKt)),
    agents: Object.fromEntries(
      await Promise.all(
        pods.map(async ({ metadata }) => [metadata?.name, await tried(logOf(cluster, metadata?.name ?? '', signal))])
      )
    )
  }
}

/** A user's service is of interest only if kt has changed it. */
function isTouched({ metadata }: Service): boolean {
  return [...Object.keys(metadata?.labels ?? {}), ...Object.keys(metadata?.annotations ?? {})].some(
    key => key === CONTROL_LABEL || key.startsWith('kt-')
  )
}

function withoutNoise<T extends Pod | Service>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata ?? {}
  return { ...object, metadata }
}

async function configMapNames({ api, namespace }: Cluster, signal: AbortSignal): Promise<string[]> {
  const query = { labelSelector: `${CONTROL_LABEL}=kt` }
  const { items } = await api.call<{ items: Pod[] }>({ ...CONFIG_MAPS, verb: 'list', namespace, query }, signal)
  return items.map(({ metadata }) => metadata?.name ?? '')
}

interface EventList {
  items: { involvedObject?: { name?: string }; reason?: string; message?: string; lastTimestamp?: string }[]
}

function ofKt(list: unknown): object[] {
  return (list as EventList).items
    .filter(({ involvedObject }) => /kt-/.test(involvedObject?.name ?? ''))
    .map(({ involvedObject, reason, message, lastTimestamp }) => ({
      object: involvedObject?.name,
      reason,
      message,
      time: lastTimestamp
    }))
}

async function logOf({ api, namespace }: Cluster, name: string, signal: AbortSignal): Promise<string> {
  const query = { tailLines: String(LOG_LINES), limitBytes: String(LOG_MAX_BYTES) }
  const request: Request = { ...PODS, verb: 'get', namespace, name, subresource: 'log', query }
  const response = await api.open(request, signal)
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response as AsyncIterable<string>) text += part
  return text
}
