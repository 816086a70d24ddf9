// `down`: ends a cluster and removes all it made, its certificates excepted.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { removeCgroup } from './cgroups.ts'
import { removeNetworks } from './network.ts'
import { endLaptop, endNamespaces } from './processes.ts'
import { MOST_NODES, type Settings } from './settings.ts'
import { restoreMachine } from './shared.ts'

/** Works on half a cluster, and on none, as well. */
export async function down(settings: Settings, cache: string): Promise<void> {
  await endLaptop(settings)
  await endNamespaces(settings)
  const nodes = Array.from({ length: MOST_NODES }, (_, index) => `n${index + 1}`)
  await Promise.all(nodes.map(name => removeCgroup(`${settings.prefix}-${name}`)))
  await removeNetworks(settings)
  for (const name of [...nodes, 'log', 'laptop', 'company.Corefile', 'kubeconfig', 'choice.json']) {
    rmSync(join(settings.state, name), { recursive: true, force: true })
  }
  await restoreMachine(settings, cache)
}
