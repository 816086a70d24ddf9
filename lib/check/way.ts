// The way to the API server: kubeconfig, proxy, answer, clocks, and whether a WebSocket comes through.

import { byRbac } from '../kube/api/api-error.ts'
import type { Cluster } from '../kube/api/client.ts'
import { pathOf, SERVICES } from '../kube/api/resource.ts'
import { clockSkewMs, serverVersion } from '../kube/api/server-version.ts'
import { upgrade } from '../kube/api/upgrade.ts'
import { type Finding, fault, faultOf, ok, unknown, warning } from './finding.ts'

/** Heartbeats are compared with other people's clocks; two minutes of silence mean that somebody has gone. */
const SKEW_MAX_MS = 30_000
/** From the dialled connection to the answer. */
const UPGRADE_LIMIT_MS = 10_000

/** How the API server is reached, once it is. */
export async function checkWay(cluster: Cluster, answerMs: number, signal: AbortSignal): Promise<Finding[]> {
  const { server, proxy } = cluster
  const way = proxy === undefined ? 'without a proxy' : `through the proxy ${proxy.protocol}//${proxy.host}`
  const version = await serverVersion(cluster, signal).catch(() => undefined)
  const text = `${server.origin} ${way}: Kubernetes ${version?.gitVersion ?? 'of an unknown version'}, ${Math.round(answerMs)} ms`
  return [ok('api-server', text), await clockFinding(cluster, signal), await upgradeFinding(cluster, signal)]
}

async function clockFinding(cluster: Cluster, signal: AbortSignal): Promise<Finding> {
  const skew = await clockSkewMs(cluster, signal).catch(() => undefined)
  if (skew === undefined) return unknown('clock', 'the API server does not tell the time')
  const seconds = Math.abs(Math.round(skew / 1000))
  if (Math.abs(skew) <= SKEW_MAX_MS) return ok('clock', `${seconds} s apart from the API server's`)
  return warning(
    'clock',
    `this computer's clock is ${seconds} s ${skew > 0 ? 'behind' : 'ahead of'} the API server's: others take you for gone`,
    'timedatectl set-ntp true'
  )
}

/** Watching by WebSocket needs nothing but the right that kt up has anyway, and no pod: what comes through for it does for a port-forward. */
async function upgradeFinding(cluster: Cluster, signal: AbortSignal): Promise<Finding> {
  const { namespace, server, credentials } = cluster
  const limit = AbortSignal.any([signal, AbortSignal.timeout(UPGRADE_LIMIT_MS)])
  try {
    const identity = await credentials.current()
    const socket = await cluster.dial(identity, limit)
    try {
      const path = pathOf({ ...SERVICES, verb: 'watch', namespace, query: { timeoutSeconds: '1' } }, server.pathname)
      const headers = { ...identity.headers, origin: server.origin }
      const request = { kind: 'websocket', path, host: server.host, protocol: 'v4.channel.k8s.io', headers } as const
      const answer = await upgrade(socket, request, limit)
      if (answer.accepted) return ok('websocket', 'a WebSocket comes through')
      if (byRbac(answer.status)) return unknown('websocket', 'services may not be watched, so it could not be tried')
      return fault('websocket', `no WebSocket comes through: HTTP ${answer.status.status}`, fixFor(cluster))
    } finally {
      socket.destroy()
    }
  } catch (error) {
    if (signal.aborted) throw error
    if (error instanceof Error && error.name !== 'KtError')
      return fault('websocket', `no WebSocket comes through: ${error.message}`, fixFor(cluster))
    return faultOf('websocket', error)
  }
}

function fixFor({ server, proxy }: Cluster): string {
  const who = proxy === undefined ? `whatever stands before ${server.host}` : `the proxy ${proxy.host}`
  return `let ${who} pass "Connection: Upgrade" and "Upgrade: websocket" on, or go past it (NO_PROXY, proxy-url)`
}
