import test from 'ava'
import { takeLease } from '../../lib/host/lease.ts'

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('one at a time, and the next one after it', async t => {
  const name = `test-${process.pid}`
  const give = await takeLease(name)
  t.truthy(give)
  t.is(await takeLease(name), undefined)
  t.truthy(await takeLease(`${name}-other`))
  await give!()
  const again = await takeLease(name)
  t.truthy(again)
  await again!()
})
