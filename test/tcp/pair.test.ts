// Two endpoints over a link that loses, doubles and reorders.
import test from 'ava'
import fc from 'fast-check'
import { randomBytes } from '../_support/random.ts'
import { converse } from './_pair.ts'

/** The goal is 5,000 conversations within `npm test`. */
const CONVERSATIONS = 5_000

const mss = fc.integer({ min: 48, max: 1460 })
/** Window scaling is agreed upon by both or by none. */
const scale = fc.option(fc.integer({ min: 7, max: 7 }), { nil: undefined })
const buffer = fc.integer({ min: 200, max: 20_000 })
const side = fc.record({
  length: fc.integer({ min: 0, max: 6_000 }),
  mss,
  ownMss: mss,
  maxSegment: fc.integer({ min: 48, max: 65_000 }),
  receiveLimit: buffer,
  sendLimit: buffer
})

test('what one end sends, the other receives, whatever the link does', t => {
  fc.assert(
    fc.property(
      side,
      side,
      scale,
      fc.double({ min: 0, max: 0.3, noNaN: true }),
      fc.integer({ min: 0, max: 40 }),
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      fc.integer(),
      (a, b, windowScale, loss, jitterMs, eagerness, seed) => {
        const texts = [randomBytes(a.length, seed), randomBytes(b.length, seed + 1)] as const
        const { got, ends } = converse({
          texts,
          options: [
            { ...a, windowScale },
            { ...b, windowScale }
          ],
          link: { delayMs: 10, jitterMs, loss, duplicate: loss / 4 },
          seed,
          eagerness
        })
        return ends.every(e => e.state === 'CLOSED') && got[0].equals(texts[1]) && got[1].equals(texts[0])
      }
    ),
    { numRuns: CONVERSATIONS }
  )
  t.pass()
})

test('megabytes through a window that grows, with super-segments, each way at once', t => {
  const texts = [randomBytes(6_000_000, 1), randomBytes(5_000_000, 2)] as const
  const options = { mss: 1460, maxSegment: 65_000, windowScale: 7, wnd: 65_535 }
  const { got, ends } = converse({ texts, options: [options, options], link: { delayMs: 1, loss: 0.001 }, seed: 3 })
  t.true(got[0].equals(texts[1]))
  t.true(got[1].equals(texts[0]))
  t.deepEqual(
    ends.map(e => [e.state, e.reason, e.unacknowledged, e.storageBytes]),
    [
      ['CLOSED', undefined, 0, 0],
      ['CLOSED', undefined, 0, 0]
    ]
  )
  t.is(ends[0].bytesIn, 5_000_000)
  t.is(ends[0].bytesOut, 6_000_000)
  t.true(ends[0].srttMs > 0)
})
