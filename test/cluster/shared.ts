// What the clusters of one machine have in common: the first one changes it, the last one puts it back.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { networkNamespaces } from './network.ts'
import { run } from './run.ts'
import { clusterSettings, type Settings } from './settings.ts'

/** Sysctls of the whole machine that a kubelet sets when it starts, and the one that we raise. */
const SYSCTLS = [
  'fs/inotify/max_user_instances',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes'
]

/** Each kubelet, containerd, kube-proxy and shim of a node has its own: the usual 128 are used up by three clusters side by side. */
const INOTIFY_INSTANCES = 1_024

/** Unreachable routes get the worst metric: kt's own routes win over them. */
const METRIC = '4000000'

/** Remember the machine's sysctls, make room for file watchers, and keep cluster addresses away from its default gateway. */
export async function prepareMachine(settings: Settings, cache: string): Promise<void> {
  const saved = join(cache, 'sysctls.json')
  if (!existsSync(saved)) {
    const values = SYSCTLS.filter(name => existsSync(`/proc/sys/${name}`)).map(name => [
      name,
      readFileSync(`/proc/sys/${name}`, 'utf8').trim()
    ])
    writeFileSync(saved, JSON.stringify(Object.fromEntries(values)))
  }
  makeRoom()
  for (const range of ranges(settings)) await run('ip', ['route', 'replace', 'unreachable', range, 'metric', METRIC])
}

/** When no cluster is left: both as they were. */
export async function restoreMachine(settings: Settings, cache: string): Promise<void> {
  if ((await networkNamespaces()).some(name => /^ktk\d?-cp$/.test(name))) return
  for (const range of ranges(clusterSettings({ ...settings, dualStack: true }, cache))) {
    await run('ip', ['route', 'del', 'unreachable', range, 'metric', METRIC]).catch(() => {}) // it was never set
  }
  const saved = join(cache, 'sysctls.json')
  if (!existsSync(saved)) return
  for (const [name, value] of Object.entries<string>(JSON.parse(readFileSync(saved, 'utf8')))) {
    try {
      writeFileSync(`/proc/sys/${name}`, value)
    } catch {} // read-only in a container: then no kubelet has changed it either
  }
  rmSync(saved)
}

function makeRoom(): void {
  const path = '/proc/sys/fs/inotify/max_user_instances'
  try {
    if (Number(readFileSync(path, 'utf8')) < INOTIFY_INSTANCES) writeFileSync(path, `${INOTIFY_INSTANCES}`)
  } catch {} // read-only in a container: one or two clusters do without
}

function ranges(settings: Settings): string[] {
  return [...settings.podRanges, ...settings.serviceRanges, ...settings.lanRanges]
}
