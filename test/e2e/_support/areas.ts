// The areas of the end-to-end tests are the folders of test/e2e; the list is taken from the disk.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Choice } from '../../cluster/settings.ts'

/** The main cluster of each lane: lanes run side by side, each with a laptop of its own, because most tests wait more than they work. */
export const LANES = [8, 10] as const

/** `KT_TEST_CLUSTER=ID`: the lane's cluster, or one that runs already, for one test file while it is being written. */
const MAIN_ID = Number(process.env.KT_TEST_CLUSTER ?? LANES[0])

/** `KT_TEST_DUAL_STACK=ID`: the same for the dual-stack one. */
const DUAL_STACK_ID = Number(process.env.KT_TEST_DUAL_STACK ?? 9)

/** Clusters that tests may ask for, with ids of their own beside those of developers. */
export const CLUSTERS = {
  main: { id: MAIN_ID, nodes: 2, proxy: 'nftables', dualStack: false, demo: true },
  'dual-stack': { id: DUAL_STACK_ID, nodes: 1, proxy: 'iptables', dualStack: true, demo: true }
} as const satisfies Record<string, Choice>

/** How tests name them. */
export type ClusterName = keyof typeof CLUSTERS

/** A folder of tests. */
export interface Area {
  name: string
  /** From `area.json` in the folder (`{ "clusters": ["main", "dual-stack"] }`); without it the main one. */
  clusters: ClusterName[]
  /** Test files at a time (`"concurrency": 3`): more than one only where they share no objects, on the laptop neither, and all tests are `test.serial`. */
  concurrency: number
  /** Index into `LANES` (`"lane": 1`); default 0. */
  lane: number
}

/** `area.json`; what it does not say is as without it. */
interface AreaFile {
  clusters?: string[]
  concurrency?: number
  lane?: number
}

/** All areas under `directory`, by name. Folders that begin with _ are none. */
export function findAreas(directory: string): Area[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('_'))
    .map(({ name }) => ({ name, ...readArea(join(directory, name, 'area.json')) }))
    .sort((a, b) => a.name.localeCompare(b.name))
}

function readArea(file: string): Omit<Area, 'name'> {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '{}'
  const { clusters = ['main'], concurrency = 1, lane = 0 } = JSON.parse(text) as AreaFile
  const unknown = clusters.filter(name => !(name in CLUSTERS))
  if (unknown.length > 0) throw new Error(`${file}: no such cluster: ${unknown.join(', ')}`)
  if (LANES[lane] === undefined) throw new Error(`${file}: no such lane: ${lane}`)
  if (lane > 0 && clusters.includes('dual-stack')) throw new Error(`${file}: the dual-stack cluster is lane 0's`)
  return { clusters: clusters as ClusterName[], concurrency, lane }
}
