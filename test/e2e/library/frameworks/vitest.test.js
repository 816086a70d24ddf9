import { connect } from 'kt'
import { test as base, expect } from 'vitest'

const test = base.extend({
  kt: [
    // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the names of fixtures from this pattern.
    async ({}, use) => {
      const kt = await connect({ namespace: 'demo', image: process.env.KT_IMAGE })
      await use(kt)
      await kt.close()
    },
    { scope: 'file' }
  ]
})

test('the service answers', { timeout: 30_000 }, async ({ kt }) => {
  const answer = await kt.fetch('http://nginx/')
  expect(answer.status).toBe(200)
})
