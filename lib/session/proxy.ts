// `kt up --socks`, put together: a proxy on this computer whose far end is the cluster. Needs no root, no TUN, and no certain system.

import { connectRights } from '../kube/api/access.ts'
import type { Right } from '../kube/api/api-error.ts'
import { proxyEnvironment } from '../proxy/environment.ts'
import { pacFile } from '../proxy/pac.ts'
import { type ProxyServer, proxyServer } from '../proxy/server.ts'
import { type Access, type AccessOptions, openAccess } from './access.ts'
import { openCluster } from './link/open-cluster.ts'
import { suggestions } from './network/suggestions.ts'
import { BANNER, type Report } from './report.ts'
import { type Running, runSession } from './run.ts'
import type { Parts } from './status.ts'
import type { LocalOptions } from './traffic-in/exposing.ts'
import { listenLocally } from './traffic-in/local-port.ts'
import { planTraffic, type TrafficWishes, trafficRights } from './traffic-in/traffic.ts'

export interface ProxyOptions extends AccessOptions, LocalOptions, TrafficWishes {
  /** Where it listens; undefined: on loopback, both families. */
  address: string | undefined
  /** SOCKS 4, 4a, 5 and HTTP are spoken at each port; these are the ones that are said. */
  socksPort: number
  httpPort: number
}

/** How `kt status` names it. */
export const PROXY_COMMAND = 'up --socks'

const HOW = 'Please setup proxy config by: eval "$(kt env --proxy)"'

/** Offer the proxy until `stop` is aborted, then undo. Rejects with the error that ended it. */
export async function proxy(options: ProxyOptions, report: Report, stop: AbortController): Promise<void> {
  await runSession(report, stop, running => start(running, options))
}

async function start(running: Running, options: ProxyOptions): Promise<{ lost: Promise<Error> }> {
  const { report, life } = running
  const began = performance.now()
  const parts: Parts = {}
  // The ports are taken before anything is made in the cluster; who comes before it works is reset.
  const way: { server?: ProxyServer } = {}
  for (const port of new Set([options.socksPort, options.httpPort])) {
    const close = await listenLocally(
      port,
      socket => {
        if (way.server === undefined) socket.resetAndDestroy()
        else way.server.accept(socket)
      },
      { address: options.address, hint: `choose another one: --socks ${port + 1}` }
    )
    life.onStop('', close)
  }
  if (options.address !== undefined && !/^(127\.|::1$)/.test(options.address))
    report({
      event: 'warning',
      text: `${options.address} is not this computer alone: whoever reaches it uses this proxy`
    })
  const rights = (namespace: string): Right[] => [...connectRights(namespace), ...trafficRights(options)(namespace)]
  const cluster = await openCluster(running, options, { name: PROXY_COMMAND, rights }, parts)
  const beginTraffic = await planTraffic({ ...running, options, cluster, parts, began }, options)
  const access = await openAccess(running, cluster, options, 'proxy', parts)
  const server = proxyServer({ dialer: access.dialer, pac: host => pac(access, options, host) })
  life.onStop('Proxy closed', () => server.close())
  way.server = server
  const at = (port: number): string => hostPort(options.address ?? '127.0.0.1', port)
  const [socks, http] = [at(options.socksPort), at(options.httpPort)]
  parts.environment = proxyEnvironment({ socks, http, direct: [cluster.server.hostname] })
  parts.forwarded = [...new Set([socks, http])].map(each => `${each} → the cluster (SOCKS 4, 4a, 5 and HTTP)`)
  report({ event: 'proxy', socks, http, environment: parts.environment, pac: `http://${http}/proxy.pac` })
  const traffic = await beginTraffic()
  parts.exposed = traffic.exposed
  const commands = suggestions(access.names).filter(command => command.startsWith('curl '))
  report({
    event: 'ready',
    ms: performance.now() - began,
    try: commands.map(command => command.replace('curl ', `curl -x socks5h://${socks} `)),
    banner: [BANNER, HOW, ...traffic.banners].join('\n ')
  })
  return traffic
}

function pac({ names, routes }: Access, { includeDomains }: ProxyOptions, host: string): string {
  return pacFile({
    proxy: host,
    domains: [names.domain, ...includeDomains],
    namespace: names.namespace,
    services: names.services(),
    cidrs: routes().map(({ cidr }) => cidr)
  })
}

/** An address that stands for all of them is named by this computer's own. */
function hostPort(address: string, port: number): string {
  if (address === '0.0.0.0' || address === '::') return `127.0.0.1:${port}`
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
