// `kt forward`, put together: ports of this computer that lead to something in the cluster. Needs no root and no `kt up`.
import type { Socket } from 'node:net'
import type { Right } from '../kube/api/api-error.ts'
import { rightsOf } from '../kube/api/rights.ts'
import {
  type ForwardedPort,
  type ForwardPair,
  type ForwardTarget,
  findForwardTarget,
  forwardUse
} from '../kube/traffic/forward-target.ts'
import { join } from '../tunnel/join.ts'
import { type Datagrams, TunnelError } from '../tunnel/tunnel.ts'
import type { AgentLink } from './link/link.ts'
import { type ClusterOptions, openCluster } from './link/open-cluster.ts'
import { reachAgent } from './link/reach-agent.ts'
import { clusterDomain } from './network/cluster-domain.ts'
import { type LocalFlow, takeDatagrams } from './network/local-datagrams.ts'
import type { Report } from './report.ts'
import { type Running, runSession } from './run.ts'
import type { Parts } from './status.ts'
import { listenLocally } from './traffic-in/local-port.ts'

export interface ForwardOptions extends ClusterOptions {
  image: string
  /** `web`, `svc/web`, `pod/web-0`, `deploy/web`, `web.demo`, `10.96.0.7`. */
  target: string
  pairs: readonly ForwardPair[]
  /** Say every connection, not only those that fail. */
  calls: boolean
}

/** Nothing in the cluster is lost without anybody knowing: this promise stays pending. */
const NEVER = new Promise<Error>(() => {})

/** Forward until `stop` is aborted, then undo. Rejects with the error that ended it. */
export async function forward(options: ForwardOptions, report: Report, stop: AbortController): Promise<void> {
  await runSession(report, stop, async running => {
    await start(running, options)
    return { lost: NEVER }
  })
}

async function start(running: Running, options: ForwardOptions): Promise<void> {
  const { report, stop, life } = running
  const began = performance.now()
  const parts: Parts = {}
  const cluster = await openCluster(running, options, { name: 'forward', rights: forwardRights(options.target) }, parts)
  const target = await findForwardTarget(cluster, options.target, options.pairs, stop.signal)
  // The ports are taken before anything is made in the cluster; who comes before it works is reset.
  const way: { link?: AgentLink; domain: string } = { domain: '' }
  const say = (source: string, { network, local, remote }: ForwardedPort, verdict: string): void => {
    if (verdict === 'opened' && !options.calls) return
    report({ event: 'call', network, port: local, source, verdict, to: `${target.description}:${remote}` })
  }
  for (const port of target.ports) {
    const close =
      port.network === 'tcp'
        ? await listenLocally(port.local, socket => {
            const source = `${socket.remoteAddress}:${socket.remotePort}`
            void carry(socket, target.host(way.domain), port, way.link).then(verdict => say(source, port, verdict))
          })
        : await takeDatagrams(port.local, flow =>
            carryFlow(flow, target.host(way.domain), port, way.link, verdict => say(flow.source, port, verdict))
          )
    life.onStop('', close)
  }
  const link = await reachAgent(running, cluster, parts, { image: options.image })
  way.domain = clusterDomain((await link.facts()).resolvConf)
  way.link = link
  parts.forwarded = target.ports.map(
    port => `localhost:${named(port, port.local)} → ${target.description} port ${named(port, port.remote)}`
  )
  report({ event: 'ready', ms: performance.now() - began, try: [], banner: banner(target) })
}

/** What forwarding to this target cannot do without. */
function forwardRights(target: string): (namespace: string) => Right[] {
  return namespace => rightsOf('forward', namespace, ...forwardUse(target))
}

/** kt-connect's words; scripts wait for them. */
function banner({ description, ports }: ForwardTarget): string {
  return ports
    .map(port => `Now you can access port ${named(port, port.remote)} of ${description} via 'localhost:${port.local}'`)
    .join('\n ')
}

/** `53/udp`; TCP goes without saying. */
function named({ network }: ForwardedPort, port: number): string {
  return network === 'udp' ? `${port}/udp` : String(port)
}

/** Dial for a local connection and join both; what became of it. Dialled anew each time, so that it survives what comes and goes behind a name. */
async function carry(
  socket: Socket,
  host: string | undefined,
  { port }: ForwardedPort,
  link: AgentLink | undefined
): Promise<string> {
  const gone = new AbortController()
  socket.once('close', () => gone.abort())
  try {
    if (host === undefined) throw new TunnelError('refused', 'there is no pod that is ready')
    if (link?.tunnel === undefined) throw new TunnelError('closed', 'no connection to the agent at the moment')
    const stream = await link.tunnel.dial(host, port, { signal: gone.signal })
    join(socket, stream)
    return 'opened'
  } catch (error) {
    if (!socket.destroyed) socket.resetAndDestroy()
    return error instanceof TunnelError ? error.reason : 'closed'
  }
}

/** The same for a UDP caller; undefined: nobody is there at the moment. */
function carryFlow(
  { answer, closed }: LocalFlow,
  host: string | undefined,
  { port }: ForwardedPort,
  link: AgentLink | undefined,
  said: (verdict: string) => void
): Datagrams | undefined {
  const tunnel = link?.tunnel
  said(host === undefined ? 'refused' : tunnel === undefined ? 'closed' : 'opened')
  if (host === undefined || tunnel === undefined) return undefined
  return tunnel.datagrams(host, port, answer, reason => {
    if (reason !== 'idle') said(reason)
    closed()
  })
}
