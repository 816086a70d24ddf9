// Two endpoints in memory, one sends, one reads: what the TCP of this process costs without a device.
// Each row moves the same bytes; "memcpy" is the baseline of the same run: one copy of each byte, 64 KiB at a time.
// Run alone: node bench/pair/tcp.bench.ts [MiB]
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Endpoint } from '../../lib/tcp/endpoint.ts'
import { TcpView } from '../../lib/wire/tcp.ts'

const TOTAL_BYTES = Number(process.argv[2] ?? 512) * 2 ** 20
const CHUNK_BYTES = 64 * 1024
/** Segments between two visits of the receiver: what a device hands over at once. */
const BATCH = 16
const ROUNDS = 5

let collections = 0
let collectMs = 0
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    collections++
    collectMs += entry.duration
  }
}).observe({ entryTypes: ['gc'] })

interface Case {
  mss: number
  maxSegment: number
}

function makePair({ mss, maxSegment }: Case): [Endpoint, Endpoint] {
  const common = { wnd: 65_535, mss, ownMss: mss, maxSegment, windowScale: 7 }
  return [
    new Endpoint({ ...common, iss: 0x7fff_0000, irs: 0x1000_0000 }),
    new Endpoint({ ...common, iss: 0x1000_0000, irs: 0x7fff_0000 })
  ]
}

/** Segments that wait between the two ends: as many buffers as a batch has, used again and again. */
class Wire {
  readonly #slots = Array.from({ length: BATCH }, () => new Uint8Array(66_000))
  readonly #ends = new Uint32Array(BATCH)
  readonly #view = new TcpView()

  carry(from: Endpoint, to: Endpoint, now: number): boolean {
    const view = this.#view
    let n = 0
    while (n < BATCH) {
      view.bytes = this.#slots[n]!
      view.start = 0
      if (!from.transmit(view, 1, 2, now)) break
      this.#ends[n++] = view.end
    }
    for (let i = 0; i < n; i++) if (view.wrap(this.#slots[i]!, 0, this.#ends[i]!)) to.segmentArrives(view, now)
    return n > 0
  }
}

/** Moves TOTAL_BYTES; the time in ms. */
function move(c: Case): number {
  const [a, b] = makePair(c)
  const wire = new Wire()
  const chunk = new Uint8Array(CHUNK_BYTES).fill(7)
  let read = 0
  let sum = 0
  const begun = performance.now()
  while (read < TOTAL_BYTES) {
    const now = performance.now()
    while (a.sendFree >= CHUNK_BYTES) a.send(chunk)
    wire.carry(a, b, now)
    for (let r = b.received(); r.length > 0; r = b.received()) {
      sum += r[0]!
      read += r.length
      b.consumed(r.length)
    }
    wire.carry(b, a, now)
    if (now >= a.deadline) a.timeout(now)
  }
  if (sum === 0 || a.retransmits > 0) throw new Error(`the bench is wrong: ${a.retransmits} segments sent again`)
  return performance.now() - begun
}

function memcpy(): number {
  const from = new Uint8Array(CHUNK_BYTES).fill(7)
  const to = new Uint8Array(16 * CHUNK_BYTES)
  const begun = performance.now()
  for (let done = 0; done < TOTAL_BYTES; done += CHUNK_BYTES) to.set(from, done % to.length)
  return performance.now() - begun
}

async function report(name: string, run: () => number, baseline: number): Promise<number> {
  run()
  await delay(10) // the observer of garbage collections reports between turns
  const before = [collections, collectMs] as const
  const times = Array.from({ length: ROUNDS }, run).toSorted((x, y) => x - y)
  await delay(10)
  const rate = (ms: number): number => TOTAL_BYTES / 2 ** 20 / (ms / 1000)
  const median = rate(times[ROUNDS >> 1]!)
  const spread = `${rate(times.at(-1)!).toFixed(0)}–${rate(times[0]!).toFixed(0)}`
  const ratio = baseline === 0 ? '1' : (median / baseline).toFixed(3)
  const gc = `${collections - before[0]} GCs, ${(collectMs - before[1]).toFixed(0)} ms`
  console.log(`${name.padEnd(26)} ${median.toFixed(0).padStart(7)} MiB/s (${spread}), ${ratio} × memcpy, ${gc}`)
  return median
}

const baseline = await report('memcpy', memcpy, 0)
await report('super-segments of 64 KiB', () => move({ mss: 1460, maxSegment: 65_000 }), baseline)
await report('MSS 1460, no offload', () => move({ mss: 1460, maxSegment: 1460 }), baseline)
await report('MSS 65,480 (large MTU)', () => move({ mss: 65_480, maxSegment: 65_480 }), baseline)
