// A port-forward to one port of a pod, as one Duplex. The API server is asked for SPDY first, whose bytes it hands on as they are; then for SPDY
// in a WebSocket, as kubectl does, whose messages it has to put together; at last for WebSocket channels. A proxy may mind the
// first, a role without `create` too, and before Kubernetes 1.31 there is no second.
import type { Duplex } from 'node:stream'
import { KtError } from '../../errors.ts'
import { type ApiStatus, refused, unreachable } from '../api/api-error.ts'
import type { Cluster } from '../api/client.ts'
import type { Line } from '../api/dial.ts'
import { PODS, pathOf, type Request } from '../api/resource.ts'
import { type UpgradeKind, upgrade } from '../api/upgrade.ts'
import { ChannelCarrier } from './carrier-channel.ts'
import { SpdyCarrier } from './carrier-spdy.ts'
import { CarrierStream } from './carrier-stream.ts'
import { bare, webSocket } from './framing.ts'

/** From the dialled connection to the answer, of all protocols together; normally 10 to 25 ms beside the round trips. */
const UPGRADE_LIMIT_MS = 10_000
/** A protocol that is not the last one has this long, ms: what is between us and the API server may swallow what it does not know. */
const OTHERS_LIMIT_MS = 4_000

/** What carries the bytes. */
interface Protocol {
  kind: UpgradeKind
  name: string
  stream: (socket: Line, target: { pod: string; port: number }) => CarrierStream
  /** Names the port, where no stream does. */
  query: (port: number) => Record<string, string>
}

/** In the order in which they are asked for. */
const PROTOCOLS = {
  spdy: {
    kind: 'SPDY/3.1',
    name: 'portforward.k8s.io',
    stream: (socket, target) => new SpdyCarrier(socket, target, bare),
    query: () => ({})
  },
  tunnelled: {
    kind: 'websocket',
    name: 'SPDY/3.1+portforward.k8s.io',
    stream: (socket, target) => new SpdyCarrier(socket, target, webSocket),
    query: () => ({})
  },
  channels: {
    kind: 'websocket',
    name: 'v4.channel.k8s.io',
    stream: (socket, target) => new ChannelCarrier(socket, target),
    query: port => ({ ports: String(port) })
  }
} as const satisfies Record<string, Protocol>
export type ProtocolName = keyof typeof PROTOCOLS
const NAMES = Object.keys(PROTOCOLS) as ProtocolName[]

/** Clusters that took this one after they had refused what stands before it, or said nothing to it: asking again would cost every redial time. */
const firstOf = new WeakMap<Cluster, ProtocolName>()

export interface CarrierOptions {
  pod: string
  /** A port on which the pod listens on 127.0.0.1. */
  port: number
  /** Of the pod; else the cluster's. */
  namespace?: string
  signal?: AbortSignal
  /** This protocol and no other; tests ask for it. */
  protocol?: ProtocolName
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
  const { protocol: only } = options
  const names = only === undefined ? NAMES.slice(NAMES.indexOf(firstOf.get(cluster) ?? 'spdy')) : [only]
  let forGood = only === undefined
  for (const name of names) {
    const isLast = name === names.at(-1)
    const soon = isLast ? signal : AbortSignal.any([signal, AbortSignal.timeout(OTHERS_LIMIT_MS)])
    const answer = await ask(cluster, options, PROTOCOLS[name], soon)
    if (answer instanceof CarrierStream) {
      if (forGood) firstOf.set(cluster, name)
      return answer
    }
    options.signal?.throwIfAborted()
    if (isLast || signal.aborted || concernsThePod(answer, PROTOCOLS[name])) throw explain(answer, cluster, options)
    // What fails in a server or a proxy may be over the next time.
    forGood &&= !('status' in answer) || answer.status < 500
  }
  throw new Error('no protocol was asked for')
}

/** Why there is no carrier: a refusal, another protocol that was chosen, or no answer. */
type Refusal = ApiStatus | { chosen: string; wanted: string } | { failure: KtError }

/**
 * Refusals that no other protocol changes. Whoever does not know a protocol says 400, or 403 with nothing more, or what a proxy says; and SPDY
 * wants another right than the others.
 */
function concernsThePod(answer: Refusal, { kind }: Protocol): boolean {
  if (!('status' in answer)) return false
  const { status, message } = answer
  return status === 401 || status === 404 || (status === 403 && message !== '' && kind === 'websocket')
}

async function ask(
  cluster: Cluster,
  options: CarrierOptions,
  protocol: Protocol,
  signal: AbortSignal
): Promise<CarrierStream | Refusal> {
  const first = await attempt(cluster, options, protocol, signal)
  // A token may have expired since the last call; a plugin is asked once more.
  if ('status' in first && first.status === 401 && cluster.credentials.invalidate())
    return await attempt(cluster, options, protocol, signal)
  return first
}

async function attempt(
  cluster: Cluster,
  options: CarrierOptions,
  { kind, name, stream, query }: Protocol,
  signal: AbortSignal
): Promise<CarrierStream | Refusal> {
  const identity = await cluster.credentials.current()
  const socket = await cluster.dial(identity, options.signal)
  try {
    const path = pathOf({ ...requestFor(cluster, options), query: query(options.port) }, cluster.server.pathname)
    const request = { kind, path, host: cluster.server.host, protocol: name, headers: identity.headers }
    const answer = await upgrade(socket, request, signal)
    if (answer.accepted && answer.protocol === name) {
      const carrier = stream(socket, options)
      carrier.ownMemory = options.ownMemory ?? false
      carrier.start(answer.rest)
      return carrier
    }
    socket.destroy()
    return answer.accepted ? { chosen: answer.protocol, wanted: name } : answer.status
  } catch (cause) {
    socket.destroy()
    if (cause instanceof KtError) throw cause
    const why = signal.aborted ? new Error(`no answer to the port-forward within ${UPGRADE_LIMIT_MS / 1000} s`) : cause
    return { failure: unreachable(cluster.server, why, cluster.proxy) }
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
function explain(answer: Refusal, cluster: Cluster, options: CarrierOptions): KtError {
  if ('failure' in answer) return answer.failure
  if ('chosen' in answer)
    return new KtError(
      'KT_CARRIER_REFUSED',
      `the API server chose the protocol "${answer.chosen}" in place of ${answer.wanted}`
    )
  const status = answer
  const { pod } = options
  if (status.status === 403 && status.message === '')
    return new KtError(
      'KT_CARRIER_REFUSED',
      `the cluster does not offer port-forward by WebSocket (${PROTOCOLS.channels.name})`,
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
