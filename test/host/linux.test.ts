// The suite of every system, on Linux: in a namespace, with the real kernel.
import test from 'ava'
import { Namespace, type Worker, whyNoNamespace } from '../_support/netns.ts'
import { NETWORK_CASES, RESOLVER_CASES } from '../compliance/host.ts'

const reason = whyNoNamespace()
if (reason === undefined) {
  let namespace: Namespace
  let worker: Worker
  test.before(() => {
    namespace = new Namespace()
    worker = namespace.fork(new URL('./_suite.ts', import.meta.url))
  })
  test.after.always(() => namespace.remove())

  for (const name of Object.keys(NETWORK_CASES))
    test.serial(`Linux: ${name}`, async t => {
      await t.notThrowsAsync(worker.call('network', name))
    })
  for (const name of Object.keys(RESOLVER_CASES))
    test.serial(`Linux: ${name}`, async t => {
      await t.notThrowsAsync(worker.call('resolver', name))
    })
} else {
  test(`skipped: ${reason}`, t => {
    t.log(`the suite of lib/host is not run: ${reason}`)
    t.pass()
  })
}
