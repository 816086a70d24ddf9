// A port-forward to one port of a pod, as one Duplex. The API server is asked for SPDY in a WebSocket first, as kubectl does; what
// does not offer it (before Kubernetes 1.31, or a proxy that minds the protocol) is asked for WebSocket channels.
import type { Duplex } from 'node:stream'
import { KtError } from '../../errors.ts'
import { type ApiStatus, refused, unreachable } from '../api/api-error.ts'
import type { Cluster } from '../api/client.ts'
import type { Line } from '../api/dial.ts'
import { PODS, pathOf, type Request } from '../api/resource.ts'
import { upgrade } from '../api/upgrade.ts'
import { ChannelCarrier } from './carrier-channel.ts'
import { SpdyCarrier } from './carrier-spdy.ts'
import type { CarrierStream } from './carrier-stream.ts'

/** From the dialled connection to the answer, of both protocols together; normally 10 to 25 ms beside the round trips. */
const UPGRADE_LIMIT_MS = 10_000

/** A WebSocket protocol and what speaks it; `query` names the port, where no stream does. */
interface Protocol {
  name: string
  stream: new (socket: Line, target: { pod: string; port: number }) => CarrierStream
  query: (port: number) => Record<string, string>
}

const SPDY: Protocol = { name: 'SPDY/3.1+portforward.k8s.io', stream: SpdyCarrier, query: () => ({}) }
const CHANNELS: Protocol = {
  name: 'v4.channel.k8s.io',
  stream: ChannelCarrier,
  query: port => ({ ports: String(port) })
}

/** Clusters that took channels after they had refused SPDY: asking again would cost every redial two connections. */
const channelsOnly = new WeakSet<Cluster>()

export interface CarrierOptions {
  pod: string
  /** A port on which the pod listens on 127.0.0.1. */
  port: number
  /** Of the pod; else the cluster's. */
  namespace?: string
  signal?: AbortSignal
  /** Channels from the start; tests ask for them. */
  channels?: boolean
  /** What a 'data' listener gets is its own to keep. */
  ownMemory?: boolean
}

/**
 * Open a port-forward. An open carrier does not mean that the port answers: the runtime dials later, and a refused port
 * destroys the carrier with KT_CARRIER_REFUSED. It has no half-close: `end` closes it as a whole after what was written.
 * The cluster's close ends it; a broken connection destroys it with KT_CARRIER_LOST. Rejects with KtError. What a 'data' listener
 * gets is valid during the call only; `read` and iteration give memory of its own.
 */
export async function openCarrier(cluster: Cluster, options: CarrierOptions): Promise<Duplex> {
  const limit = AbortSignal.timeout(UPGRADE_LIMIT_MS)
  const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit])
  if (options.channels === true || channelsOnly.has(cluster)) return await channels(cluster, options, signal)
  const answer = await ask(cluster, options, SPDY, signal)
  if ('start' in answer) return answer
  if (!('protocol' in answer) && concernsThePod(answer)) throw explain(answer, cluster, options)
  const carrier = await channels(cluster, options, signal)
  // What fails in a server or a proxy may be over the next time.
  if ('protocol' in answer || answer.status < 500) channelsOnly.add(cluster)
  return carrier
}

async function channels(cluster: Cluster, options: CarrierOptions, signal: AbortSignal): Promise<CarrierStream> {
  const answer = await ask(cluster, options, CHANNELS, signal)
  if ('start' in answer) return answer
  if (!('protocol' in answer)) throw explain(answer, cluster, options)
  throw new KtError(
    'KT_CARRIER_REFUSED',
    `the API server chose the protocol "${answer.protocol}" in place of ${CHANNELS.name}`
  )
}

/** Refusals that no other protocol changes. Whoever does not know SPDY says 400, or 403 with nothing more, or what a proxy says. */
function concernsThePod({ status, message }: ApiStatus): boolean {
  return status === 401 || status === 404 || (status === 403 && message !== '')
}

/** The carrier, the refusal, or the protocol that was chosen in place of this one. */
type Answer = CarrierStream | ApiStatus | { protocol: string }

async function ask(
  cluster: Cluster,
  options: CarrierOptions,
  protocol: Protocol,
  signal: AbortSignal
): Promise<Answer> {
  const first = await attempt(cluster, options, protocol, signal)
  // A token may have expired since the last call; a plugin is asked once more.
  if ('status' in first && first.status === 401 && cluster.credentials.invalidate())
    return await attempt(cluster, options, protocol, signal)
  return first
}

async function attempt(
  cluster: Cluster,
  options: CarrierOptions,
  protocol: Protocol,
  signal: AbortSignal
): Promise<Answer> {
  const identity = await cluster.credentials.current()
  const socket = await cluster.dial(identity, options.signal)
  try {
    const path = pathOf(
      { ...requestFor(cluster, options), query: protocol.query(options.port) },
      cluster.server.pathname
    )
    const answer = await upgrade(
      socket,
      { path, host: cluster.server.host, protocol: protocol.name, headers: identity.headers },
      signal
    )
    if (answer.accepted && answer.protocol === protocol.name) {
      const carrier = new protocol.stream(socket, options)
      carrier.ownMemory = options.ownMemory ?? false
      carrier.start(answer.rest)
      return carrier
    }
    socket.destroy()
    return answer.accepted ? { protocol: answer.protocol } : answer.status
  } catch (cause) {
    socket.destroy()
    if (cause instanceof KtError) throw cause
    options.signal?.throwIfAborted()
    const why = signal.aborted ? new Error(`no answer to the port-forward within ${UPGRADE_LIMIT_MS / 1000} s`) : cause
    throw unreachable(cluster.server, why, cluster.proxy)
  }
}

function requestFor(cluster: Cluster, { pod, namespace }: CarrierOptions): Request {
  return {
    ...PODS,
    verb: 'get',
    namespace: namespace ?? cluster.namespace,
    name: pod,
    subresource: 'portforward'
  }
}

/** What a refusal means here (reference: 404 no pod, 400 not scheduled, empty 403 another protocol). */
function explain(status: ApiStatus, cluster: Cluster, options: CarrierOptions): KtError {
  const { pod } = options
  if (status.status === 403 && status.message === '')
    return new KtError(
      'KT_CARRIER_REFUSED',
      `the cluster does not offer port-forward by WebSocket (${CHANNELS.name})`,
      {
        hint: 'a proxy before the API server may remove the Sec-WebSocket-Protocol header',
        cause: status
      }
    )
  const error = refused(status, requestFor(cluster, options), cluster.user)
  if (error.code !== 'KT_API') return error
  return new KtError(
    'KT_CARRIER_REFUSED',
    `no port-forward to pod ${pod}: ${status.message || `HTTP ${status.status}`}`,
    { cause: status }
  )
}
