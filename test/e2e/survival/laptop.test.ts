// What happens to the laptop and the API server themselves; `npm run test:faults` does the same, and more, under load.
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { blockServer, changeAddress, killIn, onLaptop, settings } from '../../faults/ground.ts'
import { serviceAddress } from '../_support/demo.ts'
import { kt, type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference, laptopSnapshot } from '../up/_support/snapshot.ts'

const STATUS = ['status', '--output', 'json']
const WORKS_MS = 30_000
const ENDS_MS = 20_000
/** A way that is dead is noticed within this. */
const NOTICED_MS = 15_000
const NEW_SERVICE = 'survival-new'

let running: RunningKt | undefined
let echo = ''
let before: string[] = []
const inNamespace = builtIn ? test.serial : test.serial.skip

test.before(async () => {
  if (!builtIn) return
  await (await blockServer('drop'))() // the first rule makes the table, which stays
  before = await laptopSnapshot()
  echo = await serviceAddress('node-echo')
  running = await startKt(['--namespace', 'demo'])
})
test.after.always(async () => {
  await running?.stop()
  if (builtIn) await kubectl(['-n', 'demo', 'delete', 'service', NEW_SERVICE, '--ignore-not-found'])
})

/** Lines to an echo and back while `fault` happens, on one connection that survives it. */
async function survives(seconds: number, fault: () => Promise<void>): Promise<string> {
  const peer = join(import.meta.dirname, 'peers/echo.peer.ts')
  const child = spawnOnLaptop(process.execPath, [peer, echo, '7000', String(seconds)])
  const output = collect(child.stdout)
  const closed = once(child, 'close')
  await delay(500)
  await fault()
  await closed
  const { sent, received, wrong, error } = JSON.parse(output()) as Record<string, unknown>
  return sent === received && wrong === 0 ? String(error) : output()
}

/** Until `kt status` says connected. */
async function connected(): Promise<boolean> {
  for (const end = Date.now() + WORKS_MS; Date.now() < end; await delay(200))
    if ((await kt(STATUS)).code === 0) return true
  return false
}

inNamespace(
  'another address of the laptop: connections and watches go on, at the new one and back at the old',
  async t => {
    const said = await survives(10, async () => {
      const began = Date.now()
      const back = await changeAddress()
      try {
        await kubectl(['-n', 'demo', 'create', 'service', 'clusterip', NEW_SERVICE, '--tcp=80'])
        // Without the domain only what the watch has seen is answered; nobody tells it that its connection is dead.
        const seen = eventually(true, NOTICED_MS, async () =>
          /^10\.96\./.test((await laptop('dig', ['+short', '+time=1', '+tries=1', `${NEW_SERVICE}.demo`])).stdout)
        )
        await delay(3_000)
        t.true(await connected())
        t.true(await seen)
        t.true(Date.now() - began < NOTICED_MS, `${Date.now() - began}`)
      } finally {
        await back()
      }
    })
    t.is(said, '')
    t.true(await connected())
    t.regex(running!.output(), /this computer has not the address/)
  }
)

inNamespace('the API server is killed: the connection goes on when it is there again', async t => {
  t.is(await survives(8, () => killIn(settings().controlPlane, 'kube-apiserver')), '')
  t.true(await connected())
})

inNamespace('somebody deletes the device: kt says so, ends, and leaves the laptop as it was', async t => {
  await onLaptop('ip', 'link', 'del', 'kt0')
  for (const end = Date.now() + ENDS_MS; Date.now() < end && (await kt(STATUS)).stdout.includes('"pid"'); )
    await delay(200)
  const { code, stderr } = await running!.stop()
  t.is(code, 3, stderr)
  t.deepEqual(difference(before, await laptopSnapshot()), { gone: [], come: [] })
})
