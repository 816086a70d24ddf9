// A way from the laptop of one test cluster to the API server of another one with the same ranges, and a kubeconfig for each.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { existingCluster } from '../../../cluster/existing.ts'
import { run } from '../../../cluster/run.ts'
import { cacheDirectory } from '../../../cluster/settings.ts'
import { CLUSTERS } from '../../_support/areas.ts'
import { kubeconfig } from '../../_support/laptop.ts'

const LINK = 'several0'
/** Of nobody else on the laptop. */
const [FAR, NEAR] = ['10.198.0.1', '10.198.0.2']

export interface TwoClusters {
  /** Kubeconfigs whose contexts are called so: the laptop's own cluster, and the other one. */
  east: string
  west: string
  remove(): Promise<void>
}

/** The laptop is that of `main`; `west` is the dual-stack cluster, whose IPv4 ranges are those of `main`. */
export async function twoClusters(): Promise<TwoClusters> {
  const cache = cacheDirectory(process.env)
  const { laptop } = existingCluster(CLUSTERS.main.id, cache)
  const { controlPlane, apiAddress } = existingCluster(CLUSTERS['dual-stack'].id, cache)
  await run('ip', ['-n', laptop, 'link', 'del', LINK]).catch(() => {}) // what a run that was killed has left
  await ip(controlPlane, [
    `link add ${LINK} type veth peer name ${LINK} netns ${laptop}`,
    `addr add ${FAR}/30 dev ${LINK}`,
    `link set ${LINK} up`
  ])
  await ip(laptop, [`addr add ${NEAR}/30 dev ${LINK}`, `link set ${LINK} up`, `route add ${apiAddress}/32 via ${FAR}`])
  const folder = mkdtempSync(join(tmpdir(), 'kt-several-'))
  const [east, west] = [join(folder, 'east'), join(folder, 'west')]
  writeFileSync(east, renamed(kubeconfig(), 'east'), { mode: 0o600 })
  writeFileSync(west, renamed(kubeconfig('dual-stack'), 'west'), { mode: 0o600 })
  return {
    east,
    west,
    async remove() {
      rmSync(folder, { recursive: true, force: true })
      await run('ip', ['-n', laptop, 'link', 'del', LINK]) // and its other end, and its routes
    }
  }
}

interface Kubeconfig {
  contexts: { name: string }[]
  'current-context': string
}

function renamed(file: string, name: string): string {
  const config = JSON.parse(readFileSync(file, 'utf8')) as Kubeconfig
  for (const context of config.contexts) context.name = name
  return JSON.stringify({ ...config, 'current-context': name })
}

async function ip(netns: string, commands: string[]): Promise<void> {
  await run('ip', ['-n', netns, '-batch', '-'], { input: `${commands.join('\n')}\n` })
}
