// `kt forward`, put together: ports of this computer that lead to something in the cluster. Needs no root and no `kt up`.
import type { Socket } from 'node:net'
import { connectRights } from '../kube/access.ts'
import { type ForwardedPort, type ForwardPair, type ForwardTarget, findForwardTarget } from '../kube/forward-target.ts'
import { join } from '../tunnel/join.ts'
import { TunnelError } from '../tunnel/tunnel.ts'
import { clusterDomain } from './cluster-domain.ts'
import type { AgentLink } from './link.ts'
import { listenLocally } from './local-port.ts'
import { type ClusterOptions, openCluster } from './open-cluster.ts'
import { reachAgent } from './reach-agent.ts'
import type { Report } from './report.ts'
import { type Running, runSession } from './run.ts'
import type { Parts } from './status.ts'

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
  const cluster = await openCluster(running, options, { name: 'forward', rights: connectRights }, parts)
  const target = await findForwardTarget(cluster, options.target, options.pairs, stop.signal)
  // The ports are taken before anything is made in the cluster; who comes before it works is reset.
  const way: { link?: AgentLink; domain: string } = { domain: '' }
  const say = (socket: Socket, port: ForwardedPort, verdict: string): void => {
    if (verdict === 'opened' && !options.calls) return
    const source = `${socket.remoteAddress}:${socket.remotePort}`
    report({
      event: 'call',
      network: 'tcp',
      port: port.local,
      source,
      verdict,
      to: `${target.description}:${port.remote}`
    })
  }
  for (const port of target.ports) {
    const close = await listenLocally(port.local, socket => {
      void carry(socket, target.host(way.domain), port, way.link).then(verdict => say(socket, port, verdict))
    })
    life.onStop('', close)
  }
  const link = await reachAgent(running, cluster, parts, { image: options.image })
  way.domain = clusterDomain((await link.facts()).resolvConf)
  way.link = link
  parts.forwarded = target.ports.map(port => `localhost:${port.local} → ${target.description} port ${port.remote}`)
  report({ event: 'ready', ms: performance.now() - began, try: [], banner: banner(target) })
}

/** kt-connect's words; scripts wait for them. */
function banner({ description, ports }: ForwardTarget): string {
  return ports
    .map(({ local, remote }) => `Now you can access port ${remote} of ${description} via 'localhost:${local}'`)
    .join('\n ')
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
