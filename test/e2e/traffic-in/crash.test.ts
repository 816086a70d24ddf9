// kt exchange killed at any moment: the service answers all the time, and kt recover puts everything back.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { SOON_MS, startCalls, urlOf } from './_support/callers.ts'
import { clear, exchange, HTTP, killedExchange, kt, prepare } from './_support/ground.ts'
import { objects } from './_support/objects.ts'

/** How often kt is killed; 20 for the long run. */
const KILLS = Number(process.env.KT_TEST_KILLS ?? 6)
/** A start: reading, stuntman, shadow, port-forward, the patch; ms after the process began. */
const START_MS = [700, 4500] as const
/** While it serves, ms after it was ready; and while it ends, ms after Ctrl-C. */
const RUN_MS = [0, 1000] as const
const END_MS = [0, 3000] as const
/** One kill and the way back, at most. */
const ROUND_MS = 20_000

test.before(() => prepare('shop'))
test.after.always(clear)

async function recovered(t: ExecutionContext, before: string[]): Promise<string> {
  const { code, stdout, stderr } = await kt('recover', '--all')
  t.is(code, 0, stderr)
  let found = { gone: [''], come: [''] }
  await eventually(true, SOON_MS, async () => {
    found = difference(before, await objects())
    return found.gone.length + found.come.length === 0
  })
  t.deepEqual(found, { gone: [], come: [] })
  t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
  return stdout.split('\n')[0] ?? ''
}

const between = ([from, to]: readonly [number, number]): number => Math.round(from + Math.random() * (to - from))

/** Kill kt at a random moment of its start, its service or its end, in turn; what was done, for the log. */
async function killSomewhere(turn: number): Promise<string> {
  if (turn % 3 === 0) {
    const ms = between(START_MS)
    await killedExchange('shop', ms)
    return `${ms} ms after its start`
  }
  const running = await exchange('shop', `${HTTP}:80`)
  if (turn % 3 === 1) {
    const ms = between(RUN_MS)
    await delay(ms)
    await running.stop('SIGKILL')
    return `${ms} ms after it was ready`
  }
  const ms = between(END_MS)
  const stopped = running.stop('SIGINT')
  await delay(ms)
  await running.stop('SIGKILL')
  await stopped
  return `${ms} ms after Ctrl-C`
}

test.serial(
  `SIGKILL at ${KILLS} random moments of start, service and end: no caller sees an error, recover leaves nothing`,
  async t => {
    t.timeout(KILLS * ROUND_MS + 60_000)
    const before = await objects()
    const callers = startCalls(await urlOf('shop'), 20)
    for (let turn = 0; turn < KILLS; turn++) {
      const when = await killSomewhere(turn)
      t.log(`killed ${when}: ${await recovered(t, before)}`)
    }
    const answers = await callers.stop()
    t.log(`${answers.length} requests from within the cluster`)
    t.true(answers.length > KILLS)
    t.deepEqual(
      answers.filter(({ by }) => by.startsWith('error')),
      []
    )
  }
)
