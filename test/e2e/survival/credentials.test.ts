// A client certificate that ends while connections that were made with it are kept.
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { loadCluster } from '../../../lib/kube/api/client.ts'
import { PODS } from '../../../lib/kube/api/resource.ts'
import { certifiedUser } from '../../faults/certificates.ts'
import { builtIn } from '../_support/laptop.ts'

const SECONDS = 4

const onCluster = builtIn ? test : test.skip
onCluster('a rotated client certificate: requests go on with the new one although connections were kept', async t => {
  const user = await certifiedUser(SECONDS)
  t.teardown(() => user.remove())
  const cluster = await loadCluster({ kubeconfig: user.kubeconfig })
  t.teardown(() => cluster.close())
  const ask = (): Promise<unknown> =>
    cluster.api.call({ ...PODS, verb: 'list', namespace: 'demo', query: { limit: '1' } })
  await Promise.all([ask(), ask(), ask()])
  await delay(SECONDS * 1000 + 500)
  for (const asked of [ask(), ask(), ask()]) await t.throwsAsync(asked, { code: 'KT_UNAUTHORIZED' })
  await user.renew(600)
  await t.notThrowsAsync(Promise.all([ask(), ask(), ask()]))
})
