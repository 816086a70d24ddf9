// May we? Asked before it is needed, so that the answer names the right instead of the step that failed.

import { KtError } from '../../errors.ts'
import { forbidden, type Right, resourceName } from './api-error.ts'
import type { Cluster } from './client.ts'
import { ACCESS_REVIEWS } from './resource.ts'
import { rightsOf } from './rights.ts'

/** A right that is missing, as an error that can be thrown or printed. */
export interface MissingRight extends Right {
  error: KtError
}

/** What `kt up` cannot do without, in one namespace. */
export const connectRights = (namespace: string): Right[] => rightsOf('up', namespace)

/** Those of `rights` that we do not have; asked at once (SelfSubjectAccessReview, which everybody may create). */
export async function checkAccess(cluster: Cluster, rights: Right[], signal?: AbortSignal): Promise<MissingRight[]> {
  const allowed = await Promise.all(rights.map(right => review(cluster, right, signal)))
  return rights.filter((_, i) => !allowed[i]).map(right => ({ ...right, error: forbidden(right, cluster.user) }))
}

/** Throws a KT_FORBIDDEN that names every one of `rights` that is missing, and the command, before anything is made. */
export async function demandRights(
  cluster: Cluster,
  { name, rights }: { name: string; rights(namespace: string): Right[] },
  signal?: AbortSignal
): Promise<void> {
  const missing = await checkAccess(cluster, once(rights(cluster.namespace)), signal)
  const [first, ...others] = missing
  if (first === undefined) return
  const list = missing.map(right => `${right.verb} ${resourceName(right)}`).join(', ')
  const all = others.length === 0 ? '' : `; missing are: ${list}`
  throw new KtError('KT_FORBIDDEN', `${first.error.message}, which kt ${name} needs${all}`, {
    hint: `kt rbac ${name.split(' ')[0]} -n ${cluster.namespace} prints a role to ask for`
  })
}

/** Each right once: commands together ask for the same. */
function once(rights: Right[]): Right[] {
  const key = (right: Right): string => `${right.verb} ${resourceName(right)}`
  return [...new Map(rights.map(right => [key(right), right])).values()]
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
