// One cgroup for each node, the root of all that its kubelet starts.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './steps.ts'

const ROOT = '/sys/fs/cgroup'
const UNIFIED = existsSync(join(ROOT, 'cgroup.controllers'))
const V1_CONTROLLERS = ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'systemd']

/** How long the last tasks of a killed node may take to leave. */
const EMPTY_MS = 5000

/** The folder of one node in each hierarchy; under version 1 there may be more of them than we make folders in. */
function directories(name: string): string[] {
  if (UNIFIED) return [join(ROOT, name)]
  return readdirSync(ROOT).map(hierarchy => join(ROOT, hierarchy, name))
}

/** Make a node's cgroup. */
export function makeCgroup(name: string): void {
  if (UNIFIED) {
    mkdirSync(join(ROOT, name), { recursive: true })
    writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+cpu +cpuset +memory +pids')
    return
  }
  for (const hierarchy of V1_CONTROLLERS.map(controller => join(ROOT, controller)).filter(path => existsSync(path))) {
    mkdirSync(join(hierarchy, name), { recursive: true })
  }
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const path = join(ROOT, 'cpuset', file)
    if (existsSync(path)) writeFileSync(join(ROOT, 'cpuset', name, file), readFileSync(path))
  }
}

/** Remove a node's cgroup with all below it, once its processes have left. */
export async function removeCgroup(name: string): Promise<void> {
  const there = directories(name).filter(path => existsSync(path))
  await until(`cgroup ${name} empty`, EMPTY_MS, () => there.every(removeTree))
}

/** Depth first; false while something is still in it. */
function removeTree(directory: string): boolean {
  if (!existsSync(directory)) return true
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory() && !removeTree(join(directory, entry.name))) return false
  }
  try {
    rmdirSync(directory)
    return true
  } catch {
    return false
  }
}
