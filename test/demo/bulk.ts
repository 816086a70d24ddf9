// 1 GiB down and up, through kt and through bare `kubectl port-forward`, with equal digests at both ends.
import type { Direction } from '../../bench/traffic/transfer.ts'
import { openKubectl } from '../../bench/ways/kubectl.ts'
import type { Way } from '../../bench/ways/way.ts'
import type { Ground } from './ground.ts'
import type { Steps } from './steps.ts'

const GIB = 2 ** 30
/** A link of 2 MB/s makes it. */
const LIMIT_MS = 600_000

export async function compareTransfers(ground: Ground, kt: Way, steps: Steps): Promise<void> {
  const bare = await openKubectl(ground.laptop)
  try {
    for (const direction of ['down', 'up'] as const) {
      let kubectlRate = Number.NaN
      await steps.check(`1 GiB ${direction}, ${bare.name}`, async () => {
        const { rate, text } = await move(bare, direction)
        kubectlRate = rate
        return text
      })
      await steps.check(`1 GiB ${direction}, ${kt.name}`, async () => {
        const { rate, text } = await move(kt, direction)
        return `${text}, ${(rate / kubectlRate).toFixed(2)} × kubectl port-forward`
      })
    }
  } finally {
    await bare.close()
  }
}

/** Rejects when a byte is missing or the digests differ. */
async function move(way: Way, direction: Direction): Promise<{ rate: number; text: string }> {
  const { ms, bytes, sha256 } = await way.generator.order('transfer', {
    target: way.target('traffic')!,
    direction,
    flows: 1,
    bytes: GIB,
    hashed: true,
    limitMs: LIMIT_MS
  })
  const rate = bytes / 1000 / ms
  return { rate, text: `${rate.toFixed(0)} MB/s, SHA-256 ${sha256[0]!.slice(0, 12)}… at both ends` }
}
