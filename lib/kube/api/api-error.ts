// What goes wrong between us and the API server, as the one line a user reads.
import { KtError } from '../../errors.ts'
import type { Request } from './resource.ts'

/** `Status` of the API server: the cause of every KtError made from an answer. */
export class ApiStatus extends Error {
  override readonly name = 'ApiStatus'
  /** HTTP status code. */
  readonly status: number
  /** The machine-readable word: NotFound, AlreadyExists, Expired, Invalid…; empty if there was none. */
  readonly reason: string

  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

/** The HTTP status behind an error of this folder; 0 if no answer is behind it. */
export function statusOf(error: unknown): number {
  return error instanceof KtError && error.cause instanceof ApiStatus ? error.cause.status : 0
}

/** A quoted message of the API server is cut here; some carry a whole object. */
const QUOTE_MAX_CHARS = 600

/** Read the body of a refusal: a Status object, plain text, or nothing. */
export function readStatus(status: number, body: string): ApiStatus {
  try {
    const parsed = JSON.parse(body) as { reason?: unknown; message?: unknown }
    if (typeof parsed.message === 'string')
      return new ApiStatus(status, typeof parsed.reason === 'string' ? parsed.reason : '', oneLine(parsed.message))
  } catch {
    // Some answers (aggregated APIs, proxies) are not JSON: quoted as they are.
  }
  return new ApiStatus(status, '', oneLine(body))
}

/** The KtError for a refused request. */
export function refused(status: ApiStatus, request: Request, user: string): KtError {
  const options = { cause: status }
  if (status.status === 401) return unauthorized(status, user)
  if (byRbac(status)) return forbidden(request, user, status)
  if (status.status === 403)
    return new KtError(
      'KT_FORBIDDEN',
      `the cluster does not allow to ${describe(request)}: ${status.message || 'no reason given'}`,
      options
    )
  if (status.status === 404)
    return new KtError('KT_NOT_FOUND', status.message || `there is nothing to ${describe(request)}`, options)
  return new KtError(
    'KT_API',
    `the API server refuses to ${describe(request)}: ${status.message || `HTTP ${status.status}`}`,
    options
  )
}

/** Is a right missing? Pod Security, quotas and policies refuse with 403 as well. */
export function byRbac(status: ApiStatus): boolean {
  return status.status === 403 && /cannot \w+ (resource|path)/.test(status.message)
}

/** 401: no idea who we are, or no longer. */
export function unauthorized(status: ApiStatus, user: string): KtError {
  const who = user === '' ? 'the context has no user' : `the credentials of user "${user}" are unknown or expired`
  return new KtError('KT_UNAUTHORIZED', `the API server does not accept us: ${who}`, {
    hint: 'log in again; kubectl get pods must work first',
    cause: status
  })
}

/** 403 by RBAC: says the verb, the resource and the namespace, and which right to ask for. */
export function forbidden(right: Right, user: string, cause?: unknown): KtError {
  const resource = resourceName(right)
  const where = right.namespace === undefined ? 'in the whole cluster' : `in namespace ${right.namespace}`
  const role = right.namespace === undefined ? 'clusterrole' : 'role'
  const flag = right.namespace === undefined ? '' : ` -n ${right.namespace}`
  return new KtError(
    'KT_FORBIDDEN',
    `${user === '' ? 'you' : `user "${user}"`} may not ${right.verb} ${resource} ${where}`,
    {
      hint: `ask for that right: kubectl create ${role} kt${flag} --verb=${right.verb} --resource=${resource}`,
      cause
    }
  )
}

/** What RBAC judges. */
export interface Right {
  verb: string
  group?: string
  resource: string
  subresource?: string | undefined
  /** Without one: in the whole cluster. */
  namespace?: string | undefined
}

/** `pods/portforward`, `servicecidrs.networking.k8s.io`: as kubectl writes it. */
export function resourceName({ resource, group, subresource }: Right): string {
  return `${resource}${group ? `.${group}` : ''}${subresource ? `/${subresource}` : ''}`
}

/** No answer at all: says the address and the cause, also when Node hides it in an AggregateError. */
export function unreachable(server: URL, cause: unknown, proxy?: URL): KtError {
  const way = proxy === undefined ? '' : ` through the proxy ${proxy.protocol}//${proxy.host}`
  const { code } = innermost(cause) as NodeJS.ErrnoException
  const hint =
    code !== undefined && TLS_CODES.test(code)
      ? 'its certificate is not the one the kubeconfig expects (certificate-authority, tls-server-name)'
      : 'is it running, and is the VPN to it up? kubectl get pods asks the same address'
  return new KtError(
    'KT_API_UNREACHABLE',
    `cannot reach the API server at ${server.href.replace(/\/$/, '')}${way}: ${innermost(cause).message}`,
    { hint, cause }
  )
}

const TLS_CODES = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/

function innermost(cause: unknown): Error {
  if (cause instanceof AggregateError && cause.errors.length > 0) return innermost(cause.errors[0])
  return cause instanceof Error ? cause : new Error(String(cause))
}

function describe(request: Request): string {
  const name = request.name === undefined ? '' : ` "${request.name}"`
  return `${request.verb} ${resourceName(request)}${name}${request.namespace === undefined ? '' : ` in namespace ${request.namespace}`}`
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ').slice(0, QUOTE_MAX_CHARS)
}
