/**
 * The cluster for a program: tests and scripts reach services by name without root, without a TUN and without `kt up`.
 *
 * @example
 * import { connect } from 'kt'
 *
 * await using kt = await connect({ namespace: 'demo' })
 * const answer = await kt.fetch('http://nginx')
 */
import { KtError } from '../errors.ts'
import { connectRights } from '../kube/api/access.ts'
import { CARRIER_KINDS } from '../kube/api/client.ts'
import type { AccessOptions } from '../session/access.ts'
import { openAccess } from '../session/access.ts'
import { Lifecycle } from '../session/lifecycle.ts'
import { openCluster } from '../session/link/open-cluster.ts'
import { DEFAULT_IMAGE } from '../session/link/reach-agent.ts'
import type { Report } from '../session/report.ts'
import { KtConnection } from './connection.ts'
import type { Connection, ConnectOptions } from './types.ts'

export type { KtErrorCode } from '../errors.ts'
export { KtError } from '../errors.ts'
export { DialError, type DialErrorCode } from './dial-error.ts'
export type {
  Connection,
  ConnectOptions,
  DialOptions,
  Diversion,
  ExchangeOptions,
  KtEvent,
  PreviewOptions
} from './types.ts'

/**
 * Make a shadow pod and connect to its agent: two to four seconds. Several connections may be open at once, to several clusters.
 * Rejects with KtError, after everything that had been made until then is removed; `signal` ends it too.
 */
export async function connect(options: ConnectOptions = {}): Promise<Connection> {
  const report: Report = options.onEvent ?? (() => {})
  const stop = new AbortController()
  const life = new Lifecycle()
  const abandon = (): void => stop.abort(options.signal?.reason)
  options.signal?.addEventListener('abort', abandon, { once: true })
  if (options.signal?.aborted) abandon()
  try {
    const settings = settingsOf(options)
    const running = { report, stop, life }
    const cluster = await openCluster(running, settings, { name: 'library', rights: connectRights }, {})
    const access = await openAccess(running, cluster, settings, 'library', {})
    return new KtConnection({ access, settings, report, stop, life })
  } catch (error) {
    stop.abort()
    await life.stop()
    throw options.signal?.aborted === true ? options.signal.reason : error
  } finally {
    options.signal?.removeEventListener('abort', abandon)
  }
}

function settingsOf(options: ConnectOptions): AccessOptions {
  demandWay(options)
  return {
    kubeconfig: options.kubeconfig,
    context: options.context,
    namespace: options.namespace,
    via: options.via,
    carrier: options.carrier,
    image: options.image ?? DEFAULT_IMAGE,
    includeIps: options.includeIps ?? [],
    excludeIps: options.excludeIps ?? [],
    disablePodIp: false,
    dnsCacheTtl: undefined,
    clusterDomain: options.clusterDomain,
    includeDomains: options.includeDomains ?? [],
    log: '',
    unseen: true
  }
}

/** What the types refuse to a program that has types. Throws KT_USAGE. */
function demandWay({ via, carrier }: ConnectOptions): void {
  if (via !== undefined && typeof via !== 'string')
    throw new KtError('KT_USAGE', 'via is no text', { hint: "for example via: 'ssh://me@bastion'" })
  if (carrier !== undefined && !CARRIER_KINDS.includes(carrier))
    throw new KtError('KT_USAGE', `carrier: there is no "${String(carrier)}"`, { hint: CARRIER_KINDS.join(' or ') })
}
