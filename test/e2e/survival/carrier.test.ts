// The carrier is cut, swallowed, aged, and loses its pod, while programs use the tunnel.
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import type { SessionStatus } from '../../../lib/session/status.ts'
import { agentsOf, podsOfKt } from '../../faults/ground.ts'
import { serviceAddress } from '../_support/demo.ts'
import { kt, type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { knownBytes, sha256 } from '../up/_support/known-bytes.ts'
import { DROP, passAll, RESET, stopAtServer } from './_support/server-way.ts'

const ECHO_PORT = 7000
const MEBIBYTES = 128
const CUTS = 4
/** What the issue promises. */
const NOTICED_MS = 15_000
const BACK_MS = 5_000
/** To ask for the status, on a busy machine. */
const ASK_MS = 5_000

let running: RunningKt | undefined
let echo = ''

test.before(async () => {
  echo = await serviceAddress('node-echo')
  running = await startKt(['--namespace', 'demo'])
})
test.afterEach.always(passAll)
test.after.always(async () => {
  await running?.stop()
})

async function status(): Promise<SessionStatus> {
  const { stdout } = await kt(['status', '--output', 'json'])
  return (JSON.parse(stdout) as { status: SessionStatus }[])[0]!.status
}

async function happened(): Promise<string[]> {
  return (await status()).carriers.map(({ event }) => event)
}

/** Until the status says `state`; how long that took, ms, by its own account: on a busy machine asking alone takes seconds. */
async function reached(state: SessionStatus['state'], limitMs: number): Promise<number> {
  const began = Date.now()
  for (;;) {
    const now = await status()
    if (now.state === state) return Math.max(0, now.stateSince - began)
    if (Date.now() - began > limitMs + ASK_MS) return Date.now() - began
    await delay(100)
  }
}

interface EchoResult {
  sent: number
  received: number
  longestMs: number
  wrong: number
  error: string
}

function startEcho(seconds: number): Promise<EchoResult> {
  const peer = join(import.meta.dirname, 'peers/echo.peer.ts')
  const child = spawnOnLaptop(process.execPath, [peer, echo, String(ECHO_PORT), String(seconds)])
  const output = collect(child.stdout)
  return once(child, 'close').then(() => JSON.parse(output()) as EchoResult)
}

test.serial('a carrier that is cut: a download is exact, a connection goes on, nothing is restarted', async t => {
  const echoed = startEcho(8)
  const url = `http://${echo}/random?mb=${MEBIBYTES}&seed=7`
  const download = laptop('sh', ['-c', `curl -sS --max-time 60 --limit-rate 24M '${url}' | sha256sum`])
  for (let i = 0; i < CUTS; i++) {
    await delay(800)
    await stopAtServer(RESET)
    await delay(200)
    await passAll()
    t.true((await reached('connected', BACK_MS)) < BACK_MS)
  }
  t.is((await download).stdout.split(' ')[0], sha256(knownBytes(MEBIBYTES, '7')))
  const { sent, received, wrong, error } = await echoed
  t.deepEqual({ received, wrong, error }, { received: sent, wrong: 0, error: '' })
  const events = await happened()
  t.true(events.includes('resumed'), events.join(' '))
  t.false(events.includes('restarted'), events.join(' '))
})

test.serial('a black hole: noticed within 15 s, back within 5 s, open connections go on', async t => {
  const echoed = startEcho(20)
  await delay(500)
  await stopAtServer(DROP)
  const noticedMs = await reached('reconnecting', NOTICED_MS)
  t.true(noticedMs < NOTICED_MS, `${noticedMs}`)
  await delay(3_000)
  t.is((await status()).state, 'reconnecting')
  await passAll()
  const backMs = await reached('connected', 2 * BACK_MS)
  t.true(backMs < BACK_MS, `${backMs}`)
  const { sent, received, wrong, error } = await echoed
  t.deepEqual({ received, wrong, error }, { received: sent, wrong: 0, error: '' })
  t.regex(running!.output(), /! reconnecting: no answer for 9 s/)
  t.regex(running!.output(), /! connected: .*what was open goes on/)
})

test.serial('the pod is deleted: what was open is reset, a new pod is made, and all that is told', async t => {
  const echoed = startEcho(60)
  await delay(500)
  const { pod } = await status()
  await kubectl(['-n', 'demo', 'delete', 'pod', pod, '--wait=false'])
  t.is((await echoed).error, 'ECONNRESET')
  await reached('connected', 30_000)
  const after = await status()
  t.is(after.state, 'connected')
  t.not(after.pod, pod)
  t.regex(after.detail, new RegExp(`in place of ${pod}: what was open has been reset$`))
  t.is((await laptop('curl', ['-sS', '-o', '/dev/null', '--max-time', '5', `http://${echo}/`])).code, 0)
  t.regex(running!.output(), new RegExp(`! shadow pod ${pod} is gone: a new one is made`))
  t.true((await happened()).includes('restarted'))
})

test.serial('the agent ends by itself: its pod is over, and a new one is made', async t => {
  const { pod } = await status()
  const echoed = startEcho(60)
  await delay(500)
  await kubectl(['-n', 'demo', 'exec', pod, '--', 'sh', '-c', 'kill 1']).catch(() => {})
  t.is((await echoed).error, 'ECONNRESET')
  await reached('connected', 30_000)
  t.not((await status()).pod, pod)
  t.is((await laptop('curl', ['-sS', '-o', '/dev/null', '--max-time', '5', `http://${echo}/`])).code, 0)
})

const onCluster = builtIn ? test.serial : test.serial.skip
onCluster('the agent is killed: its successor in the same pod is found, and that is told', async t => {
  const { pod } = await status()
  const echoed = startEcho(60)
  await delay(500)
  const shadow = (await podsOfKt()).find(({ name }) => name === pod)
  for (const pid of agentsOf(shadow!.uid)) process.kill(pid, 'SIGKILL')
  t.is((await echoed).error, 'ECONNRESET')
  await reached('connected', 30_000)
  const after = await status()
  t.is(after.pod, pod)
  t.regex(after.detail, /whose agent has been started again: what was open has been reset$/)
  t.is((await laptop('curl', ['-sS', '-o', '/dev/null', '--max-time', '5', `http://${echo}/`])).code, 0)
})

test.serial('stopped and continued: works again within 15 s', async t => {
  const echoed = startEcho(17)
  await delay(500)
  process.kill(running!.pid, 'SIGSTOP')
  await delay(14_000) // longer than the agent waits for a word
  process.kill(running!.pid, 'SIGCONT')
  const began = performance.now()
  const { code } = await laptop('curl', [
    '-sS',
    '-o',
    '/dev/null',
    '--max-time',
    '15',
    '--retry',
    '5',
    '--retry-all-errors',
    `http://${echo}/`
  ])
  t.is(code, 0)
  t.true(performance.now() - began < NOTICED_MS)
  const { sent, received, wrong, error } = await echoed
  t.deepEqual({ received, wrong, error }, { received: sent, wrong: 0, error: '' })
})

test.serial('an old carrier is replaced before it is lost, and nobody notices', async t => {
  await running?.stop()
  running = await startKt(['--namespace', 'demo', '--carrierMaxAge', '10s'])
  const echoed = startEcho(12)
  const { longestMs, sent, received, error } = await echoed
  t.deepEqual({ received, error }, { received: sent, error: '' })
  t.true(longestMs < 1_000, `${longestMs}`)
  t.true((await happened()).includes('renewed'))
  t.notRegex(running.output(), /reconnecting/)
})
