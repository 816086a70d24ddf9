// What a running session says of itself, at whatever moment it is asked.

import type { Resolver } from '../dns/server.ts'
import type { Troubles } from '../kube/api/troubles.ts'
import type { Stack } from '../stack/stack.ts'
import type { Capturable } from './capture.ts'
import type { AgentLink } from './link/link.ts'
import type { CarrierEvent, LinkState } from './link/link-record.ts'
import type { ShadowKeeper } from './link/shadow-keeper.ts'
import type { Neighbours } from './network/neighbours.ts'
import type { Routes } from './network/routes.ts'

/** Field names are stable: `kt status --output json` prints them. */
export interface SessionStatus {
  state: LinkState | 'degraded'
  /** Milliseconds since the epoch. */
  stateSince: number
  /** Why it is so; while there is no connection, the last failure. */
  detail: string
  /** What became of the carriers, oldest first. */
  carriers: readonly CarrierEvent[]
  pod: string
  device: string
  roundTripMs: number
  /** Bytes of the session, over all its carriers. */
  bytesIn: number
  bytesOut: number
  /** Open at this moment. */
  connections: number
  flows: number
  routes: { cidr: string; reason: string }[]
  dns: string
  /** Names below this domain are this session's, whoever else runs on this computer; empty except for `kt up`. */
  suffix: string
  /** Ports of the cluster that lead to this laptop; empty for `kt up`. */
  exposed: string[]
  /** Ports of this laptop that lead into the cluster; empty except for `kt forward` and `kt up --socks`. */
  forwarded: string[]
  /** Variables by which programs find the proxy of `kt up --socks`; empty without one. */
  environment: Record<string, string>
}

/** The parts of a session as far as they have started. */
export interface Parts {
  keeper?: Pick<ShadowKeeper, 'podName'>
  link?: AgentLink
  troubles?: Troubles
  stack?: Stack
  device?: string
  routes?: Routes
  resolver?: Resolver
  /** Where the resolver answers inside the TUN. */
  resolverAddresses?: readonly string[]
  dns?: string
  /** The domain of names that are this session's alone. */
  suffix?: string
  /** Other kt up on this computer. */
  neighbours?: Neighbours
  exposed?: string[]
  forwarded?: string[]
  environment?: Record<string, string>
  capturable?: Capturable
}

export function statusOf({
  keeper,
  link,
  troubles,
  stack,
  device,
  routes,
  dns,
  suffix,
  exposed,
  forwarded,
  environment
}: Parts): SessionStatus {
  const mux = link?.session
  const record = link?.record
  const trouble = troubles?.texts[0]
  const started = dns !== undefined || exposed !== undefined || forwarded !== undefined
  return {
    state: stateOf(record?.state, started, trouble),
    stateSince: record?.since ?? Date.now(),
    detail: trouble !== undefined && record?.state === 'connected' ? trouble : (record?.detail ?? ''),
    carriers: record?.history ?? [],
    pod: keeper?.podName ?? '',
    device: device ?? '',
    roundTripMs: mux?.roundTripMs ?? 0,
    bytesIn: mux?.stats.receivedBytes ?? 0,
    bytesOut: mux?.stats.sentBytes ?? 0,
    connections: stack?.size.connections ?? 0,
    flows: stack?.size.flows ?? 0,
    routes: routes?.plan.routes ?? [],
    dns: dns ?? '',
    suffix: suffix ?? '',
    exposed: exposed ?? [],
    forwarded: forwarded ?? [],
    environment: environment ?? {}
  }
}

/** Connected is only what has started and has nothing to complain of. */
function stateOf(link: LinkState | undefined, started: boolean, trouble: string | undefined): SessionStatus['state'] {
  if (link !== 'connected') return link ?? 'connecting'
  if (!started) return 'connecting'
  return trouble === undefined ? 'connected' : 'degraded'
}
