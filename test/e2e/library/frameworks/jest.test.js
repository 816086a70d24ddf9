import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect } from 'kt'

let kt
beforeAll(async () => {
  kt = await connect({ namespace: 'demo', image: process.env.KT_IMAGE })
}, 30_000)
afterAll(() => kt?.close(), 30_000)

test('the service answers', async () => {
  const answer = await kt.fetch('http://nginx/')
  expect(answer.status).toBe(200)
})
