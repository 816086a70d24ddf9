// How every command that stays begins: reach the cluster, be seen by `kt status`, check the rights. Nothing is changed yet.
import { demandRights } from '../kube/access.ts'
import type { Right } from '../kube/api-error.ts'
import { type Cluster, loadCluster } from '../kube/client.ts'
import { version } from '../version.ts'
import { announce } from './presence.ts'
import { type Running, step } from './run.ts'
import { type Parts, statusOf } from './status.ts'

/** Which cluster, as the user said it. */
export interface ClusterOptions {
  kubeconfig: string | undefined
  context: string | undefined
  namespace: string | undefined
  /** Where this process logs to, or empty. */
  log: string
}

/** The API server answers, knows us, and allows what `command` needs; `parts` is what `kt status` shows from now on. Throws KtError. */
export async function openCluster(
  running: Running,
  options: ClusterOptions,
  command: { name: string; rights(namespace: string): Right[] },
  parts: Parts
): Promise<Cluster> {
  const { report, stop, life } = running
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
  await announce(life, {
    cluster,
    command: command.name,
    log: options.log,
    status: () => statusOf(parts),
    explain: async (name, type) => parts.resolver?.explain(name, type),
    stop: () => stop.abort('kt down')
  })
  await step(running, 'Rights are sufficient', () =>
    demandRights(cluster, command.rights(cluster.namespace), stop.signal)
  )
  return cluster
}
