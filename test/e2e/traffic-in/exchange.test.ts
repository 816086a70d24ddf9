// kt exchange: every kind of service, under load, and put back to what it was. As a user with a Role, under Pod Security `restricted`.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { RunningKt } from '../_support/kt.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { type Answer, becomes, becomesTcpAndUdp, SOON_MS, startCalls, urlOf, whoAnswers } from './_support/callers.ts'
import { clear, exchange, HTTP, kt, prepare, TCP, UDP } from './_support/ground.ts'
import { objects } from './_support/objects.ts'

test.before(() => prepare('shop', 'stock', 'cart'))
test.after.always(clear)

async function asBefore(t: ExecutionContext, before: string[]): Promise<void> {
  let now = { gone: [''], come: [''] }
  // The endpoint controllers may still be writing.
  await eventually(true, SOON_MS, async () => {
    now = difference(before, await objects())
    return now.gone.length + now.come.length === 0
  })
  t.deepEqual(now, { gone: [], come: [] })
}

const KINDS = [
  {
    target: 'shop',
    url: 'http://shop/',
    expose: `${HTTP}:80`,
    mode: 'a Deployment behind a named port',
    signal: 'SIGINT'
  },
  {
    target: 'deployment/shop',
    url: 'http://shop/',
    expose: `${HTTP}:http`,
    mode: 'by the name of the Deployment',
    signal: 'SIGTERM'
  },
  { target: 'svc/stock', url: 'http://stock/', expose: `${HTTP}:8080`, mode: 'a StatefulSet', signal: 'SIGHUP' },
  {
    target: 'cart',
    url: 'http://cart/',
    expose: `${HTTP}:web`,
    mode: 'beside another service with the same selector',
    signal: 'SIGINT'
  },
  {
    target: 'cart-headless',
    url: 'http://cart-headless:8080/',
    expose: `${HTTP}:8080`,
    mode: 'a headless service',
    signal: 'SIGTERM'
  }
] as const

for (const { target, url, expose, mode, signal } of KINDS) {
  test.serial(`${target}, ${mode}: original, local, original, and all objects as before`, async t => {
    const before = await objects()
    await becomes(t, url, 'pod')
    const running = await exchange(target, expose)
    await becomes(t, url, 'local')
    if (target === 'cart') t.is(await whoAnswers('http://cart-headless:8080/'), 'pod', 'its sister is left alone')
    const ended = await running.stop(signal)
    t.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
    if (target !== 'cart-headless') await becomes(t, url, 'pod')
    await asBefore(t, before)
  })
}

test.serial('several ports: TCP and UDP of one number; what is not exposed goes on to the original pods', async t => {
  const before = await objects()
  await becomesTcpAndUdp(t, 'shop', 'hi, hi')
  const one = await exchange('shop', `${UDP}:7000/udp`)
  await becomesTcpAndUdp(t, 'shop', 'hi, local hi')
  await becomes(t, 'http://shop/', 'pod')
  t.is((await one.stop()).code, 0)
  const both = await exchange('shop', `${UDP}:7000/udp,${TCP}:7000`)
  await becomesTcpAndUdp(t, 'shop', 'local hi, local hi')
  t.is((await both.stop()).code, 0)
  await becomesTcpAndUdp(t, 'shop', 'hi, hi')
  await asBefore(t, before)
})

/** Who answered what was asked between two moments; what was on its way at the end may go either way. */
function between(answers: Answer[], from: number, to: number): string {
  const asked = answers.filter(({ at }) => at > from && at < to - 200)
  return [...new Set(asked.map(({ by }) => by.split(' ')[0]))].join()
}

/** How long callers are watched while nothing changes. */
const WATCHED_MS = 2000
/** Of the agent to notice that the laptop has gone, at most: its heartbeat. A connection that the kernel ends is noticed at once. */
const NOTICED_MS = 5000

for (const name of ['shop', 'cart']) {
  test.serial(
    `${name} at 100 requests/s on new connections: no error across start, Ctrl-C, SIGKILL and recover`,
    async t => {
      const before = await objects()
      const url = await urlOf(name)
      const callers = startCalls(url, 10)
      const led = async (): Promise<[RunningKt, number]> => {
        const running = await exchange(name, `${HTTP}:80`)
        await becomes(t, url, 'local')
        const since = Date.now()
        await delay(WATCHED_MS)
        return [running, since]
      }
      const [first, firstLed] = await led()
      const asked = Date.now()
      t.is((await first.stop()).code, 0)
      await becomes(t, url, 'pod')
      const back = Date.now()
      await delay(WATCHED_MS)
      const backUntil = Date.now()
      const [second, secondLed] = await led()
      const killed = Date.now()
      await second.stop('SIGKILL')
      await delay(10_000)
      const recovered = await kt('recover', name)
      t.is(recovered.code, 0, recovered.stderr)
      t.regex(recovered.stdout, new RegExp(`Original service ${name} recovered: selects app=${name}`))
      await asBefore(t, before)
      const answers = await callers.stop()
      t.log(`${answers.length} requests; served by the original pods ${firstPod(answers, killed)} ms after SIGKILL`)
      const since = answers[0]?.at ?? 0
      const moments = [firstLed, asked, back, secondLed, killed].map(at => at - since)
      t.log(`ms since the first: led here, Ctrl-C, back, led again, killed: ${moments.join(', ')}`)
      const errors = answers.filter(({ by }) => by.startsWith('error'))
      t.deepEqual(
        errors.map(({ at, by }) => `${by} at ${at - since} ms`),
        []
      )
      t.deepEqual(
        {
          led: between(answers, firstLed, asked),
          back: between(answers, back, backUntil),
          ledAgain: between(answers, secondLed, killed),
          left: between(answers, killed + NOTICED_MS, Number.POSITIVE_INFINITY)
        },
        { led: 'local', back: 'pod', ledAgain: 'local', left: 'pod' }
      )
      t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
    }
  )
}

function firstPod(answers: Answer[], since: number): number {
  const found = answers.find(({ at, by }) => at > since && by.startsWith('pod'))
  return found === undefined ? Number.NaN : found.at - since
}
