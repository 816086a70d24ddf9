// kt exchange: every kind of service, under load, and put back to what it was. As a user with a Role, under Pod Security `restricted`.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { type Answer, call, tcpAndUdp, urlOf, whoAnswers } from './_support/callers.ts'
import { clear, exchange, HTTP, kt, prepare, TCP, UDP } from './_support/ground.ts'
import { objects } from './_support/objects.ts'

test.before(prepare)
test.after.always(clear)

async function asBefore(t: ExecutionContext, before: string[]): Promise<void> {
  let now = { gone: [''], come: [''] }
  // The endpoint controllers may still be writing.
  for (let tries = 0; tries < 10 && now.gone.length + now.come.length > 0; tries++) {
    now = difference(before, await objects())
    if (now.gone.length + now.come.length > 0) await delay(300)
  }
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
    t.is(await whoAnswers(url), 'pod')
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
  t.deepEqual(await tcpAndUdp('shop'), { tcp: 'hi', udp: 'hi' })
  const one = await exchange('shop', `${UDP}:7000/udp`)
  t.deepEqual(await tcpAndUdp('shop'), { tcp: 'hi', udp: 'local hi' })
  t.is(await whoAnswers('http://shop/'), 'pod')
  t.is((await one.stop()).code, 0)
  const both = await exchange('shop', `${UDP}:7000/udp,${TCP}:7000`)
  t.deepEqual(await tcpAndUdp('shop'), { tcp: 'local hi', udp: 'local hi' })
  t.is((await both.stop()).code, 0)
  t.deepEqual(await tcpAndUdp('shop'), { tcp: 'hi', udp: 'hi' })
  await asBefore(t, before)
})

/** kube-proxy takes up to a second; a headless service until the callers' DNS answer expires, 30 s. */
async function becomes(t: ExecutionContext, url: string, who: 'local' | 'pod'): Promise<void> {
  t.is(await eventually(who, url.includes('headless') ? 40_000 : 3_000, () => whoAnswers(url)), who)
}

/** Answers of the wrong side to what was asked between two moments: a change takes up to 1.5 s to reach all nodes, and what is being asked when it begins may go either way. */
function wrong(answers: Answer[], from: number, to: number, expected: 'local' | 'pod'): Answer[] {
  return answers.filter(({ at, by }) => at > from + 1500 && at < to - 500 && by.split(' ')[0] !== expected)
}

for (const name of ['shop', 'cart']) {
  test.serial(
    `${name} at 100 requests/s on new connections: no error across start, Ctrl-C, SIGKILL and recover`,
    async t => {
      const before = await objects()
      const calls = call(await urlOf(name), 10, 40_000)
      await delay(1500)
      const first = await exchange(name, `${HTTP}:80`)
      const led = Date.now()
      await delay(3000)
      const asked = Date.now()
      t.is((await first.stop()).code, 0)
      const back = Date.now()
      await delay(1500)
      const second = await exchange(name, `${HTTP}:80`)
      const ledAgain = Date.now()
      await delay(2000)
      const killed = Date.now()
      await second.stop('SIGKILL')
      await delay(10_000)
      const recovered = await kt('recover', name)
      t.is(recovered.code, 0, recovered.stderr)
      t.regex(recovered.stdout, new RegExp(`Original service ${name} recovered: selects app=${name}`))
      const answers = await calls
      const errors = answers.filter(({ by }) => by.startsWith('error'))
      t.log(
        `${answers.length} requests, ${errors.length} errors; served by the original pods ${firstPod(answers, killed)} ms after SIGKILL`
      )
      const since = answers[0]?.at ?? 0
      t.log(
        `ms since the first: led here ${led - since}, Ctrl-C ${asked - since}, back ${back - since}, led ${ledAgain - since}, killed ${killed - since}`
      )
      t.deepEqual(
        errors.map(({ at, by }) => `${by} at ${at - since} ms`),
        []
      )
      t.true(answers.length > 2000)
      t.deepEqual(wrong(answers, led, asked, 'local').slice(0, 5), [])
      t.deepEqual(wrong(answers, ledAgain, killed, 'local').slice(0, 5), [])
      t.deepEqual(wrong(answers, back, back + 3500, 'pod').slice(0, 5), [])
      t.deepEqual(wrong(answers, killed, Number.POSITIVE_INFINITY, 'pod').slice(0, 5), [])
      await asBefore(t, before)
      t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
    }
  )
}

function firstPod(answers: Answer[], since: number): number {
  const found = answers.find(({ at, by }) => at > since && by.startsWith('pod'))
  return found === undefined ? Number.NaN : found.at - since
}
