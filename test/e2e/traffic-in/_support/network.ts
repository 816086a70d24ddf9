// `kt up` with a TUN device: one at a time on a laptop, though test files run side by side.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { type RunningKt, startKt } from '../../_support/kt.ts'
import { HOME, userFile } from './ground.ts'

/** An abstract socket of Linux: who holds the name has the network, and the kernel takes it back from whoever dies. */
const NAME = `\0kt-traffic-in-network-${process.env.KT_TEST_CLUSTER ?? ''}`
const PAUSE_MS = 200
/** The longest turns of the others. */
const LIMIT_MS = 280_000

/** Wait for the network of the laptop; it is free again when the test has ended. */
export async function network(t: ExecutionContext): Promise<void> {
  t.timeout(LIMIT_MS, 'the network of the laptop is not free')
  for (;;) {
    const server = createServer()
    const taken = await once(server.listen(NAME), 'listening').then(
      () => false,
      () => true
    )
    if (!taken) return t.teardown(() => void server.close())
    await delay(PAUSE_MS)
  }
}

/** `kt up` as this file's user, or with another kubeconfig, for a test that has the network. */
export async function kt0(args: readonly string[] = [], file = userFile()): Promise<RunningKt> {
  return await startKt(['--kubeconfig', file, ...args], HOME)
}
