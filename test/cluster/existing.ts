// The cluster that is there: `up` keeps what was chosen, the other commands read it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Choice, clusterSettings, MOST_NODES, type Settings } from './settings.ts'

/** What `up` does when nothing is said. */
export const DEFAULT_CHOICE: Omit<Choice, 'id'> = { nodes: MOST_NODES, proxy: 'nftables', dualStack: false, demo: true }

/** Keep what was chosen in the state directory, which must exist. */
export function rememberChoice({ state, nodes, proxy, dualStack, demo }: Settings): void {
  writeFileSync(join(state, 'choice.json'), JSON.stringify({ nodes, proxy, dualStack, demo }))
}

/** Settings of the cluster with this id, the way it was brought up; the default ones when there is none. */
export function existingCluster(id: number, cache: string): Settings {
  const settings = clusterSettings({ id, ...DEFAULT_CHOICE }, cache)
  const file = join(settings.state, 'choice.json')
  if (!existsSync(file)) return settings
  const choice = JSON.parse(readFileSync(file, 'utf8')) as Partial<Choice>
  return clusterSettings({ ...DEFAULT_CHOICE, ...choice, id }, cache)
}
