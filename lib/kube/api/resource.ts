// A request to the API server in the words of RBAC: verb, group, resource, namespace. The path follows from them.

/** A kind of object: where it lives and what it is called there. */
export interface Resource {
  /** '' is the core group. */
  group: string
  /** '' is a path outside of all groups. */
  version: string
  resource: string
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'patch' | 'delete'

export interface Request extends Resource {
  verb: Verb
  subresource?: string
  /** Without one: cluster-scoped, or all namespaces. */
  namespace?: string | undefined
  name?: string
  query?: Record<string, string>
  body?: unknown
}

export const PODS: Resource = { group: '', version: 'v1', resource: 'pods' }
export const CONFIG_MAPS: Resource = { group: '', version: 'v1', resource: 'configmaps' }
export const SECRETS: Resource = { group: '', version: 'v1', resource: 'secrets' }
export const SERVICES: Resource = { group: '', version: 'v1', resource: 'services' }
export const NODES: Resource = { group: '', version: 'v1', resource: 'nodes' }
export const NAMESPACES: Resource = { group: '', version: 'v1', resource: 'namespaces' }
export const EVENTS: Resource = { group: '', version: 'v1', resource: 'events' }
export const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', resource: 'deployments' }
export const STATEFUL_SETS: Resource = { group: 'apps', version: 'v1', resource: 'statefulsets' }
export const AUTOSCALERS: Resource = { group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' }
/** Of KEDA, where it is installed. */
export const SCALED_OBJECTS: Resource = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' }
export const ENDPOINT_SLICES: Resource = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' }
export const SERVICE_CIDRS: Resource = { group: 'networking.k8s.io', version: 'v1', resource: 'servicecidrs' }
export const ACCESS_REVIEWS: Resource = {
  group: 'authorization.k8s.io',
  version: 'v1',
  resource: 'selfsubjectaccessreviews'
}

/** What the API server is: `/version`, which everybody may ask. */
export const SERVER_VERSION: Resource = { group: '', version: '', resource: 'version' }

export const METHODS: Record<Verb, string> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  patch: 'PATCH',
  delete: 'DELETE'
}

/** Path and query below the server's own path prefix. */
export function pathOf(request: Request, prefix: string): string {
  const { group, version, namespace, resource, name, subresource } = request
  const parts = version === '' ? [] : [group === '' ? 'api' : `apis/${group}`, version]
  if (namespace !== undefined) parts.push('namespaces', encodeURIComponent(namespace))
  parts.push(resource)
  if (name !== undefined) parts.push(encodeURIComponent(name))
  if (subresource !== undefined) parts.push(subresource)
  const query = new URLSearchParams({
    ...request.query,
    ...(request.verb === 'watch' ? { watch: 'true' } : {})
  }).toString()
  return `${prefix.replace(/\/$/, '')}/${parts.join('/')}${query === '' ? '' : `?${query}`}`
}
