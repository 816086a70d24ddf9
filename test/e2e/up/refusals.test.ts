// What does not work must look like it does inside of the cluster: refused, silent, reset; and only for the flow that it is about.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { podAddresses, serviceAddress } from '../_support/demo.ts'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from './_support/eventually.ts'
import { pod } from './_support/pods.ts'
import { peer, peerPath } from './_support/program.ts'
import { inMs, quantile } from './_support/statistics.ts'

interface Attempts {
  attempts: { outcome: string; connectMs: number; totalMs: number }[]
}

const ECHO_PORT = 7000
const RESET_PORT = 7002
const STALLED_PORT = 7004
/** Nobody listens there (discard, RFC 863). */
const CLOSED_PORT = 9
/** kube-proxy refuses by ICMP, of which the kernel sends six to one address and then one a second (icmp_ratelimit). */
const REJECTIONS = 3
/** Beside two round trips: what Node needs. */
const SLACK_MS = 5
/** A busy machine may be slow for a moment; a port that is refused late is so always. */
const ROUNDS = 4
/** Until the kernel has rejections to give again. */
const PAUSE_MS = REJECTIONS * 1000

let kt: RunningKt | undefined

test.before(async () => {
  kt = await startKt(['--namespace', 'demo'])
})
test.after.always(async () => {
  await kt?.stop()
})

/** One attempt after the other, so that they do not wait for each other. */
async function outcomes(host: string, port: number, count: number): Promise<Attempts['attempts']> {
  const limitMs = 4000
  return (await peer<Attempts>('connects', host, port, count, count * 50, limitMs)).attempts
}

test.serial('a closed port is refused within two round trips', async t => {
  const echo = await serviceAddress('node-echo')
  const targets = [
    { name: 'pod', host: (await pod('node-echo')).address, port: CLOSED_PORT, count: 20 },
    { name: 'service', host: echo, port: CLOSED_PORT, count: REJECTIONS },
    { name: 'service without pods', host: await serviceAddress('nobody'), port: 80, count: REJECTIONS }
  ]
  await outcomes(echo, ECHO_PORT, 5) // whatever is done only once
  for (const { name, host, port, count } of targets) {
    let late = ''
    for (let round = 0; round < ROUNDS; round++) {
      const roundTripMs = quantile(await peer<number[]>('ping-pong', echo, ECHO_PORT, 50), 0.5)
      const attempts = await outcomes(host, port, count)
      const times = attempts.map(({ connectMs }) => connectMs)
      t.log(`${name}: refused after ${inMs(times)}; round trip to the pod ${roundTripMs.toFixed(1)} ms`)
      t.deepEqual([...new Set(attempts.map(({ outcome }) => outcome))], ['ECONNREFUSED'], name)
      late = quantile(times, 0.25) <= 2 * roundTripMs + SLACK_MS ? '' : `${name}: ${inMs(times)}`
      if (late === '') break
      await sleep(PAUSE_MS)
    }
    t.is(late, '')
  }
})

test.serial('an address that nobody has never connects', async t => {
  const [first = ''] = await podAddresses('node-echo')
  const nobody = {
    'a pod address': first.replace(/\.\d+$/, '.250'),
    'a service address': '10.96.251.252',
    'a service with a dead endpoint': await serviceAddress('blackhole')
  }
  for (const [name, host] of Object.entries(nobody)) {
    const attempts = await outcomes(host, 80, 3)
    for (const { outcome } of attempts)
      t.true(['timeout', 'EHOSTUNREACH', 'ENETUNREACH'].includes(outcome), `${name}: ${outcome}`)
    t.log(
      `${name}: ${attempts.map(({ outcome, connectMs }) => `${outcome} after ${connectMs.toFixed(0)} ms`).join(', ')}`
    )
  }
})

test.serial('a target that resets resets its own flow and no other', async t => {
  const sockets = await serviceAddress('sockets')
  const flows = peer<{ flows: { received: number; wrongAt: number; error: string }[] }>(
    'flows',
    await serviceAddress('node-echo'),
    ECHO_PORT,
    4,
    16
  )
  const attempts = await outcomes(sockets, RESET_PORT, 50)
  t.deepEqual([...new Set(attempts.map(({ outcome }) => outcome))], ['ECONNRESET'])
  t.deepEqual(
    (await flows).flows.map(({ received, wrongAt, error }) => ({ received, wrongAt, error })),
    Array.from({ length: 4 }, () => ({ received: 16 << 20, wrongAt: -1, error: '' }))
  )
})

/** TCP sockets of this port in the pod, in the kernel's words; a reset one is gone at once. */
async function socketsInPod(name: string, port: number): Promise<number> {
  const text = await kubectl(['-n', 'demo', 'exec', name, '--', 'cat', '/proc/net/tcp', '/proc/net/tcp6'])
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
  const listening = '0A'
  return text.split('\n').filter(line => {
    const [, own = '', , state] = line.trim().split(/\s+/)
    return `${own} `.endsWith(local) && state !== listening
  }).length
}

test.serial('a reset by the laptop reaches the pod', async t => {
  const { name, address } = await pod('sockets')
  const before = await socketsInPod(name, STALLED_PORT)
  const child = spawnOnLaptop(process.execPath, [peerPath('reset'), address, String(STALLED_PORT), '5'])
  await once(child.stdout, 'data')
  t.is(await socketsInPod(name, STALLED_PORT), before + 5)
  child.stdin.end()
  await once(child, 'exit')
  const left = await eventually(before, 5000, () => socketsInPod(name, STALLED_PORT))
  t.is(left, before, 'the pod never reads: a FIN instead of a reset would leave its sockets in CLOSE_WAIT')
})
