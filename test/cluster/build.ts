// `build`: from a Debian machine with Go to the cluster's binaries and images. Minutes the first time, a second afterwards.
import { join } from 'node:path'
import { binariesAreBuilt, buildBinaries } from './go-build.ts'
import { makeImages } from './images.ts'
import { installPackages, requireMachine } from './machine.ts'
import type { Steps } from './steps.ts'

/** Make what is missing under `cache`. Nothing is downloaded but Debian packages and Go modules. */
export async function build(cache: string, steps: Steps): Promise<void> {
  const binaries = join(cache, 'bin')
  await requireMachine(binaries)
  await installPackages(steps)
  if (!binariesAreBuilt(binaries)) {
    steps.say('compiling Kubernetes and CoreDNS, once: 8 to 12 minutes on two cores')
    await buildBinaries(binaries, steps)
  }
  const made = await makeImages(join(cache, 'images'), binaries)
  if (made.length > 0) steps.say(`images: ${made.join(' ')}`)
  steps.say('built')
}
