// Throughput of one flow in virtual time, as tables: a change in congestion control shows up as a changed table in review.
import test from 'ava'
import { randomBytes } from '../_support/random.ts'
import { converse } from './_pair.ts'

const LOSSES = [0, 0.001, 0.01, 0.03, 0.1]
const BUFFERS = [4, 16, 64, 256, 1024]
const ROUND_TRIPS = [1, 20, 80]
/** What a cell may take of virtual time. */
const LIMIT_MS = 30_000

const TEXT = randomBytes(2 << 20, 1)
const NOTHING = new Uint8Array(0)
const ETHERNET = { mss: 1460, ownMss: 1460, maxSegment: 1460, windowScale: 7, wnd: 4096 }

/** kB/s of one sender; the other end only reads. */
function throughput(receiveLimit: number, link: Parameters<typeof converse>[0]['link']): number {
  const options = { ...ETHERNET, receiveLimit }
  const conversation = {
    texts: [TEXT, NOTHING],
    options: [options, options],
    link,
    seed: 7,
    untilMs: LIMIT_MS
  } as const
  const { got, doneMs } = converse(conversation)
  return got[1].length / Math.max(doneMs, 1)
}

function table(title: string, columns: string[], rows: [string, number[]][]): string {
  const line = (head: string, cells: string[]): string => head.padEnd(12) + cells.map(c => c.padStart(9)).join('')
  return [
    title,
    line('', columns),
    ...rows.map(([head, cells]) =>
      line(
        head,
        cells.map(c => c.toFixed(0))
      )
    )
  ].join('\n')
}

for (const roundTripMs of ROUND_TRIPS) {
  test(`loss × buffer at ${roundTripMs} ms`, t => {
    const rows = LOSSES.map((loss): [string, number[]] => [
      `${loss * 100} %`,
      BUFFERS.map(kib => throughput(kib * 1024, { delayMs: roundTripMs / 2, loss }))
    ])
    const columns = BUFFERS.map(kib => `${kib} KiB`)
    t.snapshot(table(`kB/s at ${roundTripMs} ms round trip, loss × receive buffer`, columns, rows))
    // Without loss it is the whole segments of a window per round trip.
    t.true(Math.abs(rows[0]![1][0]! / ((2 * 1460) / roundTripMs) - 1) < 0.1)
  })
}

test('a bottleneck of 1 MB/s whose queue drops what does not fit', t => {
  const queues = [16, 64, 256]
  const rows = ROUND_TRIPS.map((ms): [string, number[]] => [
    `${ms} ms`,
    queues.map(kib => throughput(1 << 20, { delayMs: ms / 2, rate: 1000, queueBytes: kib * 1024 }))
  ])
  t.snapshot(
    table(
      'kB/s of 1,000, round trip × queue',
      queues.map(kib => `${kib} KiB`),
      rows
    )
  )
  t.true(rows.flatMap(([, cells]) => cells).every(kBs => kBs <= 1000))
})
