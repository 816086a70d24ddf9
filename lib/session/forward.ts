// `kt forward`, put together: ports of this computer that lead to something in the cluster. Needs no root and no `kt up`.
import type { Socket } from 'node:net'
import { checkAccess, connectRights } from '../kube/access.ts'
import { loadCluster } from '../kube/client.ts'
import { type ForwardedPort, type ForwardPair, type ForwardTarget, findForwardTarget } from '../kube/forward-target.ts'
import { join } from '../tunnel/join.ts'
import { TunnelError } from '../tunnel/tunnel.ts'
import { version } from '../version.ts'
import { clusterDomain } from './cluster-domain.ts'
import type { AgentLink } from './link.ts'
import { listenLocally } from './local-port.ts'
import { announce } from './presence.ts'
import { reachAgent } from './reach-agent.ts'
import type { Report } from './report.ts'
import { type Running, runSession, step } from './run.ts'
import { type Parts, statusOf } from './status.ts'

export interface ForwardOptions {
  kubeconfig: string | undefined
  context: string | undefined
  namespace: string | undefined
  image: string
  /** `web`, `svc/web`, `pod/web-0`, `deploy/web`, `web.demo`, `10.96.0.7`. */
  target: string
  pairs: readonly ForwardPair[]
  /** Say every connection, not only those that fail. */
  calls: boolean
  /** Where this process logs to, or empty. */
  log: string
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
  const cluster = await step(running, 'API server answers', () => loadCluster(options, stop.signal))
  life.onStop('', () => cluster.close())
  report({
    event: 'start',
    version,
    pid: process.pid,
    platform: `${process.platform} ${process.arch}, Node ${process.versions.node}`,
    context: cluster.contextName,
    server: cluster.server.href,
    namespace: cluster.namespace
  })
  const parts: Parts = {}
  await announce(life, {
    cluster,
    command: 'forward',
    log: options.log,
    status: () => statusOf(parts),
    explain: async () => undefined, // names are answered by `kt up`
    stop: () => stop.abort('kt down')
  })
  const [missing] = await step(running, 'Rights are sufficient', () =>
    checkAccess(cluster, connectRights(cluster.namespace), stop.signal)
  )
  if (missing !== undefined) throw missing.error
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
