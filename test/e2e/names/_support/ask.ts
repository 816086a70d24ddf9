// Questions to a name server as a program on the laptop, and as one inside of the cluster.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { existingCluster } from '../../../cluster/existing.ts'
import { cacheDirectory, type Settings } from '../../../cluster/settings.ts'
import { CLUSTERS, type ClusterName } from '../../_support/areas.ts'
import { collect } from '../../_support/laptop.ts'
import { succeed } from '../../up/_support/program.ts'
import type { Told } from './told.ts'

export type Question = [name: string, type: string]

/** Where kt's resolver answers. */
export const KT_RESOLVER = '198.18.0.2'

const PEERS = join(import.meta.dirname, '../peers')
const TIMEOUT_MS = 120_000

/** The file of a peer of this area. */
export function peerPath(name: string): string {
  return join(PEERS, `${name}.peer.ts`)
}

/** A cluster that the tests run on. */
export function settings(cluster: ClusterName = 'main'): Settings {
  return existingCluster(CLUSTERS[cluster].id, cacheDirectory(process.env))
}

/** The answers of kt's resolver to a program on the laptop. */
export async function askOnLaptop(questions: Question[], cluster: ClusterName = 'main'): Promise<Told[]> {
  const options = { cluster, input: JSON.stringify({ server: KT_RESOLVER, questions }), timeoutMs: TIMEOUT_MS }
  return JSON.parse(await succeed(options, process.execPath, peerPath('ask'))) as Told[]
}

/** The answers of the cluster's DNS to a program on a node: nothing of kt is in between. */
export async function askInCluster(questions: Question[], cluster: ClusterName = 'main'): Promise<Told[]> {
  const { nodeList, dnsAddress } = settings(cluster)
  const args = [`--net=/run/netns/${nodeList[0]!.netns}`, process.execPath, peerPath('ask')]
  const child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'inherit'], timeout: TIMEOUT_MS })
  const output = collect(child.stdout)
  child.stdin.end(JSON.stringify({ server: dnsAddress, questions }))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the cluster's DNS could not be asked: exit code ${code}`)
  return JSON.parse(output()) as Told[]
}
