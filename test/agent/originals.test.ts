// The agent without a laptop, beside original pods that it must find by name: in a network namespace with a name server.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Namespace, type Worker, whyNoNamespace } from '../_support/netns.ts'

const why = whyNoNamespace()
/** Longer than the agent trusts an answer. */
const STALE_MS = 1_200
const SETTLE_MS = 8_000

if (why !== undefined) {
  test('originals by name', t => {
    t.log(`skipped: ${why}`)
    t.pass()
  })
} else {
  test('originals by name: in turn, without the own address, the next one on failure, known ones while the name server is silent', async t => {
    const pods = await start(t, 'shadow')
    t.deepEqual(await pods.call('call', 40), { '10.77.0.2': 20, '10.77.0.3': 20 })
    t.true((await pods.call<number>('questions')) <= 4, 'callers at the same time share one question')

    await pods.call('end', '10.77.0.2')
    t.deepEqual(await pods.call('call', 20), { '10.77.0.3': 20 })

    await pods.call('mood', 'silent')
    await sleep(STALE_MS)
    t.deepEqual(await pods.call('call', 20), { '10.77.0.3': 20 })

    // The question that nobody has answered may still be under way, and callers do not wait for it.
    await pods.call('mood', 'no such name')
    await becomes(t, () => pods.call('call', 3), { ECONNRESET: 3 })
    await pods.call('stop')
  })

  test('a router that ends goes on with the addresses it knows: the mesh ends, and its stuntman with it', async t => {
    const pods = await start(t, 'router')
    await pods.call('terminate')
    await sleep(200) // nobody has called yet: it asks now
    await pods.call('mood', 'no such name')
    await sleep(STALE_MS)
    t.deepEqual(await pods.call('call', 4), { '10.77.0.2': 2, '10.77.0.3': 2 })
    await pods.call('stop')
  })
}

/** Asked again until it is so, for a time that a busy machine can keep. */
async function becomes(t: ExecutionContext, ask: () => Promise<unknown>, wanted: unknown): Promise<void> {
  const deadline = Date.now() + SETTLE_MS
  let found = await ask()
  while (!isDeepStrictEqual(found, wanted) && Date.now() < deadline) {
    await sleep(STALE_MS / 4)
    found = await ask()
  }
  t.deepEqual(found, wanted)
}

async function start(t: ExecutionContext, role: 'shadow' | 'router'): Promise<Worker> {
  const namespace = new Namespace()
  const folder = `/etc/netns/${namespace.name}`
  t.teardown(async () => {
    await namespace.remove()
    rmSync(folder, { recursive: true })
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/resolv.conf`, 'nameserver 127.0.0.1\n')
  namespace.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other')
  for (const device of ['eth0', 'other']) namespace.exec('ip', 'link', 'set', device, 'up')
  namespace.exec('ip', 'address', 'add', '10.77.0.1/24', 'dev', 'eth0')
  for (const address of ['10.77.0.2', '10.77.0.3']) namespace.exec('ip', 'address', 'add', `${address}/32`, 'dev', 'lo')
  const pods = namespace.fork(new URL('_originals.ts', import.meta.url))
  await pods.call('start', role)
  return pods
}
