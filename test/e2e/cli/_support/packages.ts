// Programs that tests use and a laptop need not have, from Debian's packages.
import { UnfitMachine } from '../../../cluster/machine.ts'
import { run, SYSTEM_PATH } from '../../../cluster/run.ts'
import { laptop } from '../../_support/laptop.ts'

/** Install what is missing of these; each package is called like its program. Throws UnfitMachine without apt-get. */
export async function needPackages(...names: string[]): Promise<void> {
  const found = await Promise.all(
    names.map(async name => (await laptop('sh', ['-c', `command -v ${name}`])).code === 0)
  )
  const missing = names.filter((_, i) => !found[i])
  if (missing.length === 0) return
  const env = { ...process.env, PATH: SYSTEM_PATH, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    await run('apt-get', ['update', '-qq'], { env })
    await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env })
  } catch (cause) {
    throw new UnfitMachine(`these Debian packages are needed: ${missing.join(' ')}: ${(cause as Error).message}`)
  }
}
