// kt up and down, over and over: nothing is left behind, and nothing adds up. KT_TEST_CYCLES=30 is the long run.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { existingCluster } from '../../cluster/existing.ts'
import { run } from '../../cluster/run.ts'
import { cacheDirectory } from '../../cluster/settings.ts'
import { CLUSTERS } from '../_support/areas.ts'
import { kt, startKt } from '../_support/kt.ts'
import { builtIn } from '../_support/laptop.ts'
import { difference, laptopSnapshot } from '../up/_support/snapshot.ts'

const CYCLES = Number(process.env.KT_TEST_CYCLES ?? 2)
/** One of them on a busy machine, ms. */
const CYCLE_MS = 60_000

const { laptop: netns, ktHome } = existingCluster(CLUSTERS.main.id, cacheDirectory(process.env))

async function processes(): Promise<number> {
  return (await run('ip', ['netns', 'pids', netns])).split('\n').filter(Boolean).length
}

const files = (name: string): string[] => readdirSync(join(ktHome, name))

const inNamespace = builtIn ? test.serial : test.serial.skip
inNamespace(`${CYCLES} times up and down: no process, file, route, rule or socket is left`, async t => {
  t.timeout(CYCLES * CYCLE_MS)
  const [before, running] = [await laptopSnapshot(), await processes()]
  const descriptors: number[] = []
  for (let i = 0; i < CYCLES; i++) {
    const session = await startKt(['--namespace', 'demo'])
    descriptors.push(readdirSync(`/proc/${session.pid}/fd`).length)
    if (i % 2 === 0) await session.stop()
    else {
      t.is((await kt(['down'])).code, 0)
      t.is((await session.stop()).code, 0)
    }
  }
  t.deepEqual(difference(before, await laptopSnapshot()), { gone: [], come: [] })
  t.is(await processes(), running)
  t.deepEqual([files('run'), files('journal')], [[], []])
  t.true(Math.max(...descriptors) - Math.min(...descriptors) <= 4, descriptors.join(' '))
})
