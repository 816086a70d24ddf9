// How every command that stays begins: reach the cluster, be seen by `kt status`, check the rights. Nothing is changed yet.
import { demandRights } from '../../kube/api/access.ts'
import type { Right } from '../../kube/api/api-error.ts'
import { type CarrierKind, type Cluster, loadCluster } from '../../kube/api/client.ts'
import type { PodWishes } from '../../kube/shadow/shadow-manifest.ts'
import { version } from '../../version.ts'
import { startCapture } from '../capture.ts'
import { dashboardOf } from '../dashboard.ts'
import { type Running, step } from '../run.ts'
import { type Parts, statusOf } from '../status.ts'
import type { LocalOptions } from '../traffic-in/exposing.ts'
import { announce } from '../traffic-in/presence.ts'

/** Which cluster, as the user said it. */
export interface ClusterOptions {
  kubeconfig: string | undefined
  context: string | undefined
  namespace: string | undefined
  /** A jump host from which the API server is reached: `ssh://me@bastion`. */
  via?: string | undefined
  /** What the user wants of every pod that is made. */
  pod?: PodWishes
  /** A port-forward that is older is replaced, ms. */
  carrierMaxAgeMs?: number | undefined
  /** Default: a port-forward alone. */
  carrier?: CarrierKind | undefined
  /** Where this process logs to, or empty. */
  log: string
  /** Unseen by `kt status` and `kt down`: the session of a program that has it by the library, and ends it itself. */
  unseen?: boolean
}

/** The API server answers, knows us, and allows what `command` needs; `parts` is what `kt status` shows from now on. Throws KtError. */
export async function openCluster(
  running: Running,
  options: ClusterOptions & Partial<LocalOptions>,
  command: { name: string; rights(namespace: string): Right[] },
  parts: Parts
): Promise<Cluster> {
  const { report, stop, life } = running
  const cluster = await step(running, 'API server answers', () => loadCluster(options, stop.signal))
  life.onStop('', () => cluster.close())
  const { troubles } = cluster.api
  parts.troubles = troubles
  troubles.onChange = ([text]) => {
    if (parts.link?.record.state !== 'connected') return // then that is the news
    const state = text === undefined ? 'connected' : 'degraded'
    report({ event: 'state', state, detail: text ?? 'everything in the cluster is seen changing again' })
  }
  report({
    event: 'start',
    version,
    pid: process.pid,
    platform: `${process.platform} ${process.arch}, Node ${process.versions.node}`,
    context: cluster.contextName,
    server: cluster.server.href,
    namespace: cluster.namespace
  })
  if (options.unseen !== true)
    await announce(life, {
      cluster,
      command: command.name,
      log: options.log,
      status: () => statusOf(parts),
      explain: async (name, type) => parts.resolver?.explain(name, type),
      capture: (filter, write) => parts.capturable && startCapture(parts.capturable, filter, write),
      dashboard: dashboardOf(running, { cluster, command: command.name, parts, local: localOf(options) }),
      stop: () => stop.abort('kt down'),
      neighbour: socket => {
        if (parts.neighbours === undefined) socket.destroy()
        else parts.neighbours.accept(socket)
      }
    })
  await step(running, 'Rights are sufficient', () => demandRights(cluster, command, stop.signal))
  return cluster
}

/** What exchanges and previews that begin later are told about local programs; undefined is as not given. */
function localOf({ image, skipPortChecking, proxyProtocol, calls }: Partial<LocalOptions>): Partial<LocalOptions> {
  const given = Object.entries({ image, skipPortChecking, proxyProtocol, calls }).filter(
    ([, value]) => value !== undefined
  )
  return Object.fromEntries(given)
}
