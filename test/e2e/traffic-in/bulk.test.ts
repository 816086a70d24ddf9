// Large transfers through an exchanged service: exact, and how fast they are beside the same through kt up. KT_TEST_BULK_MIB=1024 for a GiB.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { kubectl } from '../_support/kubectl.ts'
import { laptop } from '../_support/laptop.ts'
import { clear, exchange, NAMESPACE, OWN_PORT as PORT, prepare } from './_support/ground.ts'
import { kt0, network } from './_support/network.ts'
import { inPodArguments, program, programInPod } from './_support/programs.ts'

const MIB = Number(process.env.KT_TEST_BULK_MIB ?? 256)
const BULK = join(import.meta.dirname, 'peers/bulk.mjs')
const LIMIT_MS = 240_000

test.before(() => prepare('shop'))
test.after.always(clear)

type Verb = 'up' | 'down'

/** MB/s and the SHA-256 of what has arrived. */
function read(stdout: string): { rate: number; sum: string } {
  const [ms, sum = ''] = stdout.trim().split(' ')
  return { rate: (MIB * 2 ** 20) / 1e6 / (Number(ms) / 1000), sum }
}

async function fromPod(host: string, verb: Verb): Promise<{ rate: number; sum: string }> {
  const args = inPodArguments(['call', host, 7000, verb, MIB])
  const { stdout, stderr } = await laptop('kubectl', args, { input: readFileSync(BULK), timeoutMs: LIMIT_MS })
  return stdout === '' ? { rate: 0, sum: stderr } : read(stdout)
}

async function fromLaptop(host: string, verb: Verb): Promise<{ rate: number; sum: string }> {
  const words = [BULK, 'call', host, String(PORT), verb, String(MIB)]
  const { stdout, stderr } = await laptop(process.execPath, words, { timeoutMs: LIMIT_MS })
  return stdout === '' ? { rate: 0, sum: stderr } : read(stdout)
}

test.serial(`${MIB} MiB each way through an exchanged service are exact`, async t => {
  await network(t)
  t.timeout(4 * LIMIT_MS)
  const sum = (await laptop(process.execPath, [BULK, 'sum', String(MIB)])).stdout.trim()
  const [local, remote] = [await program('bulk.mjs', 'serve', PORT), await programInPod('bulk.mjs', 'serve', PORT)]
  const up = await kt0()
  const running = await exchange('shop', `${PORT}:7000`)
  const path = 'jsonpath={.items[0].status.podIP}'
  const pod = await kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', 'app=caller', '-o', path])
  try {
    // What a pod downloads goes the way of what the laptop uploads.
    for (const [verb, same] of [
      ['down', 'up'],
      ['up', 'down']
    ] as const) {
      const [exchanged, direct] = [await fromPod('shop', verb), await fromLaptop(pod, same)]
      t.is(exchanged.sum, sum)
      t.is(direct.sum, sum)
      const ratio = (exchanged.rate / direct.rate).toFixed(2)
      const text = `${exchanged.rate.toFixed(0)} MB/s; kt up the same way ${direct.rate.toFixed(0)} MB/s; ratio ${ratio}`
      t.log(`a pod ${verb === 'down' ? 'downloads from' : 'uploads to'} the laptop: ${text}`)
    }
  } finally {
    t.is((await running.stop()).code, 0)
    t.is((await up.stop()).code, 0)
    await local.stop()
    await remote.stop()
  }
})
