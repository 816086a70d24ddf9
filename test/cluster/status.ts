// `status`: what runs, in a few lines.
import { existsSync } from 'node:fs'
import { binariesAreBuilt } from './go-build.ts'
import { runningNamespaces } from './processes.ts'
import type { Settings } from './settings.ts'
import { kubectl } from './up.ts'

/** Print the state of a cluster; true when it runs and its API server answers. */
export async function status(settings: Settings): Promise<boolean> {
  const running = runningNamespaces(settings)
  if (running === 0) {
    const built = binariesAreBuilt(settings.binaries) ? '' : ', and not built yet'
    process.stdout.write(`cluster ${settings.id}: not running${built}\n`)
    return false
  }
  const family = settings.dualStack ? 'dual-stack' : 'IPv4'
  process.stdout.write(
    `cluster ${settings.id}: ${running - 1} of ${settings.nodes} nodes, ${settings.proxy}, ${family}\n`
  )
  process.stdout.write(`laptop: ${settings.laptop}, kubeconfig: ${settings.kubeconfig}\n`)
  if (!existsSync(settings.kubeconfig)) return false
  for (const args of [
    ['get', 'nodes', '-o', 'wide'],
    ['get', 'pods', '-A', '-o', 'wide']
  ]) {
    const table = await kubectl(settings, [...args, '--request-timeout=5s']).catch((error: Error) => error.message)
    process.stdout.write(`\n${table.trimEnd()}\n`)
  }
  return true
}
