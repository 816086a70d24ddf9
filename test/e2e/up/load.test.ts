// A stuck flow, many that rest, many that do not, a burst of connections. The stuck one first: what a load has left behind would hide its memory.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { serviceAddress } from '../_support/demo.ts'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { spawnOnLaptop } from '../_support/laptop.ts'
import { peer, peerPath, program } from './_support/program.ts'
import { inMs, quantile } from './_support/statistics.ts'

const ECHO_PORT = 7000
const FLOWS = 64
const FLOW_MIB = 16
const WAIT_MAX_MS = 2000
const STALL_MAX_MIB = 32
/** Far more than there are first windows for. */
const RESTING = 300
/** Stuck long enough for everything on the way to fill up. */
const STALL_MS = 6000

let kt: RunningKt | undefined

test.before(async () => {
  kt = await startKt(['--namespace', 'demo'])
})
test.after.always(async () => {
  await kt?.stop()
})

/** Resident memory in MiB, from /proc/PID/status. */
function residentMib(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

interface Memory {
  client: number
  agent: number
}

async function memory(): Promise<Memory> {
  const shadows = await kubectl(['-n', 'demo', 'get', 'pods', '-o', 'name'])
  const shadow = shadows.split('\n').find(name => name.startsWith('pod/kt-connect-shadow-')) ?? ''
  const status = await kubectl(['-n', 'demo', 'exec', shadow, '--', 'cat', '/proc/1/status'])
  return { client: residentMib(readFileSync(`/proc/${kt!.pid}/status`, 'utf8')), agent: residentMib(status) }
}

/** Bytes that wait in the laptop's kernel for a program that does not read: the largest Recv-Q of a connection to `host`:80. */
async function unreadBytes(host: string): Promise<number> {
  const lines = (await program('ss', '-Htn', 'state', 'established', 'dst', `${host}:80`)).trim().split('\n')
  return Math.max(...lines.map(line => Number(line.trim().split(/\s+/)[0])))
}

/** Milliseconds for a download, and for each of some small requests beside it. */
async function service(host: string): Promise<{ downloadMs: number; requestsMs: number[] }> {
  const began = performance.now()
  const requests = peer<number[]>('ping-pong', host, ECHO_PORT, 200)
  await program('curl', '-sS', '--max-time', '60', '-o', '/dev/null', `http://${host}/random?mb=64`)
  const downloadMs = performance.now() - began
  return { downloadMs, requestsMs: await requests }
}

test.serial('a reader that never reads costs little memory and slows nobody', async t => {
  const host = await serviceAddress('node-echo')
  await service(host) // what Node keeps for any traffic is there before
  const free = await service(host)
  const before = await memory()
  const stalled = spawnOnLaptop(process.execPath, [peerPath('stalled'), host, '80', '/big?mb=4096'])
  try {
    t.is(String(await once(stalled.stdout, 'data')).trim(), 'connected')
    await delay(STALL_MS)
    t.true((await unreadBytes(host)) > 65_536, 'the answer waits in the kernel of the laptop: it is stuck')
    const during = await memory()
    const [client, agent] = [during.client - before.client, during.agent - before.agent]
    t.log(
      `client ${before.client.toFixed(0)} MiB and ${client.toFixed(1)} more, agent ${before.agent.toFixed(0)} MiB and ${agent.toFixed(1)} more`
    )
    t.true(client < STALL_MAX_MIB, `client: ${client} MiB`)
    t.true(agent < STALL_MAX_MIB, `agent: ${agent} MiB`)
    const beside = await service(host)
    t.log(
      `download of 64 MiB: ${free.downloadMs.toFixed(0)} ms, beside the stuck one ${beside.downloadMs.toFixed(0)} ms`
    )
    t.log(`small requests: ${inMs(free.requestsMs)}; beside the stuck one ${inMs(beside.requestsMs)}`)
    t.true(beside.downloadMs < 2 * free.downloadMs + 500)
    t.true(quantile(beside.requestsMs, 0.5) < 3 * quantile(free.requestsMs, 0.5) + 5)
  } finally {
    stalled.kill('SIGKILL')
  }
})

test.serial(`beside ${RESTING} connections that rest a new one is as fast as alone`, async t => {
  const host = await serviceAddress('node-echo')
  const free = await service(host)
  const resting = spawnOnLaptop(process.execPath, [peerPath('resting'), host, `${ECHO_PORT}`, `${RESTING}`])
  try {
    t.is(String(await once(resting.stdout, 'data')).trim(), `${RESTING}`)
    const beside = await service(host)
    t.log(`download of 64 MiB: ${free.downloadMs.toFixed(0)} ms, beside them ${beside.downloadMs.toFixed(0)} ms`)
    t.true(beside.downloadMs < 2 * free.downloadMs + 500)
  } finally {
    resting.kill('SIGKILL')
  }
})

interface Flow {
  received: number
  wrongAt: number
  ended: boolean
  error: string
  longestWaitMs: number
}

test.serial(`${FLOWS} flows at once, ${FLOW_MIB} MiB each way: exact bytes, nobody waits long`, async t => {
  const { ms, flows } = await peer<{ ms: number; flows: Flow[] }>(
    'flows',
    await serviceAddress('node-echo'),
    ECHO_PORT,
    FLOWS,
    FLOW_MIB
  )
  const waits = flows.map(({ longestWaitMs }) => longestWaitMs)
  t.log(`${((FLOWS * FLOW_MIB * 1000) / ms).toFixed(1)} MiB/s each way; longest wait of a flow: ${inMs(waits)}`)
  const { client, agent } = await memory()
  t.log(`memory afterwards: client ${client.toFixed(0)} MiB, agent ${agent.toFixed(0)} MiB`)
  t.deepEqual(
    flows.map(({ received, wrongAt, ended, error }) => ({ received, wrongAt, ended, error })),
    Array.from({ length: FLOWS }, () => ({ received: FLOW_MIB << 20, wrongAt: -1, ended: true, error: '' }))
  )
  t.true(Math.max(...waits) <= WAIT_MAX_MS, `${Math.max(...waits).toFixed(0)} ms`)
})

test.serial('1,000 connections within one second all succeed', async t => {
  const { startedMs, attempts } = await peer<{
    startedMs: number
    attempts: { outcome: string; connectMs: number; totalMs: number }[]
  }>('connects', await serviceAddress('node-echo'), ECHO_PORT, 1000, 1000, 10_000)
  const failed = attempts.filter(({ outcome }) => outcome !== 'echoed').map(({ outcome }) => outcome)
  t.log(`begun within ${startedMs.toFixed(0)} ms; connected after ${inMs(attempts.map(a => a.connectMs))}`)
  t.log(`first bytes back after ${inMs(attempts.map(a => a.totalMs))}`)
  t.deepEqual(failed, [])
})
