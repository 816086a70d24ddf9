// The dashboard of a running session: made when it is first asked for, given what the session knows, closed with it.
import type { DashboardAddress } from '../dashboard/server.ts'
import type { Shown } from '../dashboard/shown.ts'
import type { Cluster, Service } from '../kube/api/client.ts'
import { birdseye } from '../kube/traffic/birdseye.ts'
import { findRemains } from '../kube/traffic/recover.ts'
import type { FlowFacts } from '../stack/facts.ts'
import { version } from '../version.ts'
import type { LoggedEvent } from './event-log.ts'
import { DEFAULT_IMAGE } from './link/reach-agent.ts'
import type { Running } from './run.ts'
import { type Parts, statusOf } from './status.ts'
import type { LocalOptions } from './traffic-in/exposing.ts'
import { Works } from './works.ts'

/** Several exchanges may have to be put back, ms. */
const CLOSE_LIMIT_MS = 60_000

export interface SessionDashboard {
  cluster: Cluster
  command: string
  parts: Parts
  /** How local programs are treated; what is not given is as without a flag. */
  local: Partial<LocalOptions>
}

/** Serve on loopback at `port` (0: any that is free) from the first call on; a new link each time. Throws KtError. */
export function dashboardOf(running: Running, session: SessionDashboard): (port: number) => Promise<DashboardAddress> {
  let served: Promise<() => DashboardAddress> | undefined
  const serve = async (port: number): Promise<() => DashboardAddress> => {
    const { life, report } = running
    const { cluster, local } = session
    // Only who wants a dashboard pays for loading it.
    const [{ serveDashboard }, { pageFiles }] = await Promise.all([
      import('../dashboard/server.ts'),
      import('../dashboard/page-files.ts')
    ])
    const options = { image: DEFAULT_IMAGE, skipPortChecking: false, proxyProtocol: false, calls: false, ...local }
    const works = new Works({ cluster, options, report })
    const dashboard = await serveDashboard({
      shown: shown(session, running.log?.lines ?? [], works),
      files: await pageFiles(),
      port
    })
    life.onStop('', () => dashboard.close())
    life.onStop('', () => works.close(), CLOSE_LIMIT_MS)
    return () => dashboard.address()
  }
  return async port => {
    served ??= serve(port)
    try {
      return (await served)()
    } catch (error) {
      served = undefined
      throw error
    }
  }
}

function shown({ cluster, command, parts }: SessionDashboard, log: readonly LoggedEvent[], works: Works): Shown {
  const { contextName: context, server, namespace } = cluster
  return {
    identity: { command, version, pid: process.pid, context, server: server.origin, namespace },
    log,
    status: () => {
      const status = statusOf(parts)
      const others = works.parts().map(statusOf)
      const sum = (own: number, pick: (each: typeof status) => number): number =>
        others.reduce((total, each) => total + pick(each), own)
      return {
        ...status,
        bytesIn: sum(status.bytesIn, each => each.bytesIn),
        bytesOut: sum(status.bytesOut, each => each.bytesOut),
        exposed: [...status.exposed, ...others.flatMap(({ exposed }) => exposed)]
      }
    },
    flows: () => (parts.stack?.flows() ?? []).filter(flow => !isQuestion(parts, flow)),
    onFlowEnded: listener => {
      if (parts.stack === undefined) return
      parts.stack.onEnded =
        listener &&
        (flow => {
          if (!isQuestion(parts, flow)) listener(flow)
        })
    },
    nameOf: address => parts.capturable?.nameOf(address),
    services: async () => {
      const remains = await findRemains(cluster)
      const ports = new Map(remains.services.map(service => [service.metadata?.name, portsOf(service)]))
      return birdseye(remains).services.map(service => ({ ...service, ports: ports.get(service.service) ?? [] }))
    },
    works: () => works.list(),
    begin: wish => works.begin(wish),
    giveBack: id => works.giveBack(id),
    explain: async (name, type) => parts.resolver?.explain(name, type)
  }
}

/** Questions to the DNS are shown as such, and would be most of what is shown otherwise. */
function isQuestion({ resolverAddresses }: Parts, { destination }: FlowFacts): boolean {
  return resolverAddresses?.includes(destination) === true
}

/** `80/tcp http`. */
function portsOf({ spec }: Service): string[] {
  return (spec?.ports ?? []).map(({ port, protocol = 'TCP', name = '' }) =>
    `${port}/${protocol.toLowerCase()} ${name}`.trim()
  )
}
