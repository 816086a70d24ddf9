// What the API server says of itself.
import type { Cluster } from './client.ts'
import { NAMESPACES, SERVER_VERSION } from './resource.ts'

export interface ServerVersion {
  /** As `kubectl version` prints it: v1.36.2. */
  gitVersion: string
}

/** Throws KtError. */
export function serverVersion({ api }: Cluster, signal?: AbortSignal): Promise<ServerVersion> {
  return api.call<ServerVersion>({ ...SERVER_VERSION, verb: 'get' }, signal)
}

/** The server's clock less ours in milliseconds, as exact as a second and half a round trip; undefined if it does not tell. */
export async function clockSkewMs({ api, namespace }: Cluster, signal: AbortSignal): Promise<number | undefined> {
  const asked = Date.now()
  const answer = await api.open({ ...SERVER_VERSION, verb: 'get' }, signal).catch(() => undefined)
  const response = answer ?? (await api.open({ ...NAMESPACES, verb: 'get', name: namespace }, signal))
  const between = (asked + Date.now()) / 2
  response.destroy()
  const date = Date.parse(response.headers.date ?? '')
  // The header has whole seconds, cut off: in the mean it is half a second old.
  return Number.isNaN(date) ? undefined : date + 500 - between
}
