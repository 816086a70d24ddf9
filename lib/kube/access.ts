// May we? Asked before it is needed, so that the answer names the right instead of the step that failed.

import { KtError } from '../errors.ts'
import { forbidden, type Right, resourceName } from './api-error.ts'
import type { Cluster } from './client.ts'
import { ACCESS_REVIEWS } from './resource.ts'

/** A right that is missing, as an error that can be thrown or printed. */
export interface MissingRight extends Right {
  error: KtError
}

/** What `kt up` cannot do without, in one namespace. The upgrade to a WebSocket wants `create` beside `get` from 1.35 on. */
export function connectRights(namespace: string): Right[] {
  const right = (resource: string, verb: string, subresource?: string): Right => ({
    verb,
    resource,
    subresource,
    namespace
  })
  return [
    ...['get', 'list', 'watch', 'create', 'delete'].map(verb => right('pods', verb)),
    ...['get', 'create'].map(verb => right('pods', verb, 'portforward')),
    ...['create', 'delete'].map(verb => right('configmaps', verb)),
    ...['list', 'watch'].map(verb => right('services', verb))
  ]
}

/** `kt exchange` by selector: also the stuntman, and the one patch of the service. */
export function exchangeRights(namespace: string): Right[] {
  const services = ['get', 'patch', 'create', 'delete'].map(verb => ({ verb, resource: 'services', namespace }))
  return [...connectRights(namespace), { verb: 'patch', resource: 'pods', namespace }, ...services]
}

/** `kt preview`: also the new service. */
export function previewRights(namespace: string): Right[] {
  const services = ['get', 'patch', 'create', 'delete'].map(verb => ({ verb, resource: 'services', namespace }))
  return [...connectRights(namespace), ...services]
}

/** Those of `rights` that we do not have; asked at once (SelfSubjectAccessReview, which everybody may create). */
export async function checkAccess(cluster: Cluster, rights: Right[], signal?: AbortSignal): Promise<MissingRight[]> {
  const allowed = await Promise.all(rights.map(right => review(cluster, right, signal)))
  return rights.filter((_, i) => !allowed[i]).map(right => ({ ...right, error: forbidden(right, cluster.user) }))
}

/** Throws a KT_FORBIDDEN that names every one of `rights` that is missing, before anything is made. */
export async function demandRights(cluster: Cluster, rights: Right[], signal?: AbortSignal): Promise<void> {
  const missing = await checkAccess(cluster, rights, signal)
  const [first] = missing
  if (first === undefined) return
  if (missing.length === 1) throw first.error
  const list = missing.map(right => `${right.verb} ${resourceName(right)}`).join(', ')
  throw new KtError('KT_FORBIDDEN', `${first.error.message}; missing are: ${list}`, {
    hint: `the role "edit" has all of them: kubectl create rolebinding kt -n ${cluster.namespace} --clusterrole=edit --user=NAME`
  })
}

async function review({ api }: Cluster, right: Right, signal?: AbortSignal): Promise<boolean> {
  const { verb, group, resource, subresource, namespace } = right
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb, group: group ?? '', resource, subresource, namespace } }
  }
  const answer = await api.call<{ status?: { allowed?: boolean } }>({ ...ACCESS_REVIEWS, verb: 'create', body }, signal)
  return answer.status?.allowed === true
}
