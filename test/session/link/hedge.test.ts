import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { hedged } from '../../../lib/session/link/hedge.ts'

const NEVER = new AbortController().signal

/** An attempt that ends when it is aborted. */
function stalled(signal: AbortSignal): Promise<number> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
}

test('a stalled attempt gets company, and is aborted when that succeeds', async t => {
  const signals: AbortSignal[] = []
  const won = await hedged(
    signal => {
      signals.push(signal)
      return signals.length < 3 ? stalled(signal) : Promise.resolve(signals.length)
    },
    { everyMs: 20, most: 4, signal: NEVER, discard: () => t.fail() }
  )
  t.is(won, 3)
  t.true(signals[0]!.aborted && signals[1]!.aborted)
})

test('no more than so many at a time', async t => {
  let begun = 0
  const stop = new AbortController()
  const result = hedged(
    signal => {
      begun += 1
      return stalled(signal)
    },
    { everyMs: 5, most: 3, signal: stop.signal, discard: () => t.fail() }
  )
  await sleep(100)
  t.is(begun, 3)
  stop.abort(new Error('stopped'))
  t.is((await t.throwsAsync(result)).message, 'stopped')
})

test('a failure is told when nothing else is under way; what comes too late is given away', async t => {
  const failed = hedged(() => Promise.reject(new Error('refused')), {
    everyMs: 1_000,
    most: 4,
    signal: NEVER,
    discard: () => t.fail()
  })
  t.is((await t.throwsAsync(failed)).message, 'refused')
  const attempts: ((value: string) => void)[] = []
  const given = Promise.withResolvers<string>()
  const won = hedged<string>(
    () =>
      new Promise(resolve => {
        attempts.push(resolve)
        if (attempts.length === 2) resolve('second')
      }),
    { everyMs: 10, most: 2, signal: NEVER, discard: given.resolve }
  )
  t.is(await won, 'second')
  attempts[0]!('first')
  t.is(await given.promise, 'first')
})
