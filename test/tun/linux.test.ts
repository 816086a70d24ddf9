import test from 'ava'
import { Namespace, type Worker, whyNoNamespace } from '../_support/netns.ts'
import { DEVICE_CASES } from '../compliance/device.ts'

const reason = whyNoNamespace()
if (reason === undefined) {
  let namespace: Namespace
  let worker: Worker
  test.before(() => {
    namespace = new Namespace()
    worker = namespace.fork(new URL('./_rig.ts', import.meta.url))
  })
  test.after.always(() => namespace.remove())

  for (const offload of [true, false]) {
    for (const name of Object.keys(DEVICE_CASES)) {
      test.serial(`Linux TUN, offload ${offload}: ${name}`, async t => {
        await t.notThrowsAsync(worker.call('run', name, { offload }))
      })
    }
  }

  test.serial('Linux TUN: a name that is taken', async t => {
    t.is(await worker.call('openTwice'), 'KT_NO_TUN: the TUN device twice0 is in use')
  })

  test.serial('Linux TUN: a child process does not keep it alive', async t => {
    t.false(await worker.call('inherited'))
  })
} else {
  test(`skipped: ${reason}`, t => {
    t.log(`the TUN device is not tested: ${reason}`)
    t.pass()
  })
}
