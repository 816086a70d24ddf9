// kt exchange killed at any moment: the service answers all the time, and kt recover puts everything back.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { call, urlOf } from './_support/callers.ts'
import { clear, exchange, HTTP, killedExchange, kt, prepare } from './_support/ground.ts'
import { objects } from './_support/objects.ts'

/** Moments of a start, ms after the process began: reading, stuntman, shadow, port-forward, the patch, the first calls. */
const START = [900, 1500, 2200, 3200, 4200]
/** Moments of an end, ms after Ctrl-C. */
const END = [20, 2000]

test.before(prepare)
test.after.always(clear)

async function recovered(t: ExecutionContext, before: string[]): Promise<string> {
  const { code, stdout, stderr } = await kt('recover', '--all')
  t.is(code, 0, stderr)
  let found = { gone: [''], come: [''] }
  await eventually(true, 10_000, async () => {
    found = difference(before, await objects())
    return found.gone.length + found.come.length === 0
  })
  t.deepEqual(found, { gone: [], come: [] })
  t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
  return stdout.split('\n')[0] ?? ''
}

test.serial(
  'SIGKILL at moments of the start and of the end: no caller sees an error, recover leaves nothing',
  async t => {
    const before = await objects()
    const moments = START.map(ms => ms + Math.round(Math.random() * 300))
    const calls = call(await urlOf('shop'), 20, 70_000)
    for (const ms of moments) {
      await killedExchange('shop', ms)
      t.log(`${ms} ms after the start: ${await recovered(t, before)}`)
    }
    for (const ms of END) {
      const running = await exchange('shop', `${HTTP}:80`)
      const stopped = running.stop('SIGINT')
      await delay(ms)
      await running.stop('SIGKILL')
      await stopped
      t.log(`${ms} ms after Ctrl-C: ${await recovered(t, before)}`)
    }
    const answers = await calls
    t.log(`${answers.length} requests from within the cluster`)
    t.deepEqual(
      answers.filter(({ by }) => by.startsWith('error')),
      []
    )
  }
)
