// What a running session says of itself, at whatever moment it is asked.

import type { Resolver } from '../dns/server.ts'
import type { Stack } from '../stack/stack.ts'
import type { AgentLink, LinkState } from './link.ts'
import type { Routes } from './routes.ts'
import type { ShadowKeeper } from './shadow-keeper.ts'

/** Field names are stable: `kt status --output json` prints them. */
export interface SessionStatus {
  state: LinkState
  /** Milliseconds since the epoch. */
  stateSince: number
  pod: string
  device: string
  roundTripMs: number
  /** Bytes through the carrier since it was dialled. */
  bytesIn: number
  bytesOut: number
  /** Open at this moment. */
  connections: number
  flows: number
  routes: { cidr: string; reason: string }[]
  dns: string
  /** Ports of the cluster that lead to this laptop; empty for `kt up`. */
  exposed: string[]
  /** Ports of this laptop that lead into the cluster; empty except for `kt forward`. */
  forwarded: string[]
}

/** The parts of a session as far as they have started. */
export interface Parts {
  keeper?: ShadowKeeper
  link?: AgentLink
  stack?: Stack
  device?: string
  routes?: Routes
  resolver?: Resolver
  dns?: string
  exposed?: string[]
  forwarded?: string[]
}

export function statusOf({ keeper, link, stack, device, routes, dns, exposed, forwarded }: Parts): SessionStatus {
  const mux = link?.session
  const started = dns !== undefined || exposed !== undefined || forwarded !== undefined
  return {
    state: !started && link?.state === 'connected' ? 'connecting' : (link?.state ?? 'connecting'),
    stateSince: link?.since ?? Date.now(),
    pod: keeper?.podName ?? '',
    device: device ?? '',
    roundTripMs: mux?.roundTripMs ?? 0,
    bytesIn: mux?.stats.receivedBytes ?? 0,
    bytesOut: mux?.stats.sentBytes ?? 0,
    connections: stack?.size.connections ?? 0,
    flows: stack?.size.flows ?? 0,
    routes: routes?.plan.routes ?? [],
    dns: dns ?? '',
    exposed: exposed ?? [],
    forwarded: forwarded ?? []
  }
}
