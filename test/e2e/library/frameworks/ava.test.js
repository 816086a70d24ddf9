import test from 'ava'
import { connect } from 'kt'

let kt
test.before(async () => {
  kt = await connect({ namespace: 'demo', image: process.env.KT_IMAGE })
})
test.after.always(() => kt?.close())

test('the service answers', async t => {
  const answer = await kt.fetch('http://nginx/')
  t.is(answer.status, 200)
})
