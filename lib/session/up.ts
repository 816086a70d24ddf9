// `kt up`, put together: the cluster is reached, the laptop is joined to it, and all of it is undone at the end.
import { openJournal } from '../host/journal.ts'
import { planRoutes } from '../host/plan.ts'
import { stateDirectory } from '../host/state.ts'
import { connectRights } from '../kube/api/access.ts'
import type { Right } from '../kube/api/api-error.ts'
import { discoverRanges } from '../kube/network/ranges.ts'
import { watchServices } from '../kube/network/services.ts'
import { type JoinOptions, joinLaptop } from './join.ts'
import { recoverLaptop } from './laptop.ts'
import { type ClusterOptions, openCluster } from './link/open-cluster.ts'
import { reachAgent } from './link/reach-agent.ts'
import { clusterDomain } from './network/cluster-domain.ts'
import { Neighbours } from './network/neighbours.ts'
import { BANNER, type Report } from './report.ts'
import { type Running, runSession, step } from './run.ts'
import { refuseTwin } from './several.ts'
import type { Parts } from './status.ts'
import type { LocalOptions } from './traffic-in/exposing.ts'
import { planTraffic, type TrafficWishes, trafficRights } from './traffic-in/traffic.ts'

export interface UpOptions extends ClusterOptions, JoinOptions, LocalOptions, TrafficWishes {
  /** Instead of the one that the cluster itself names. */
  clusterDomain: string | undefined
}

/**
 * Join the laptop to the cluster, and stay until `stop` is aborted or the session is lost; then undo all of it.
 * Rejects with the error that ended it; whatever had been changed until then is undone first.
 */
export async function up(options: UpOptions, report: Report, stop: AbortController): Promise<void> {
  await runSession(report, stop, running => start(running, options))
}

/** Resolves when everything works. */
async function start(running: Running, options: UpOptions): Promise<{ lost: Promise<Error> }> {
  const { report, stop, life } = running
  const began = performance.now()
  // A typing error in a range is said before anything is made.
  planRoutes({ ranges: [], include: options.includeIps, exclude: options.excludeIps, never: [], local: [] })
  for (const text of await recoverLaptop()) report({ event: 'note', text: `left behind by an earlier kt: ${text}` })
  const neighbours = new Neighbours()
  const parts: Parts = { neighbours }
  life.onStop('', () => neighbours.close())
  const rights = (namespace: string): Right[] => [...connectRights(namespace), ...trafficRights(options)(namespace)]
  const cluster = await openCluster(running, options, { name: 'up', rights }, parts)
  refuseTwin(cluster)
  const beginTraffic = await planTraffic({ ...running, options, parts, cluster, began }, options)
  const journal = openJournal(stateDirectory('journal'))
  life.onStop('', () => journal.close())

  const link = await reachAgent(running, cluster, parts, { image: options.image })
  const facts = await link.facts()
  const domain = options.clusterDomain ?? clusterDomain(facts.resolvConf)
  const [names, ranges] = await step(running, 'Services and address ranges read', () =>
    Promise.all([watchServices(cluster, domain, stop.signal), discoverRanges(cluster, facts, stop.signal)])
  )
  const joined = await joinLaptop(running, options, { cluster, link, facts, names, ranges, journal, neighbours, parts })
  const traffic = await beginTraffic()
  parts.exposed = traffic.exposed
  const banner = [BANNER, ...joined.banner, ...traffic.banners].join('\n ')
  report({ event: 'ready', ms: performance.now() - began, try: joined.suggestions(), banner })
  return { lost: Promise.race([joined.lost, traffic.lost]) }
}
