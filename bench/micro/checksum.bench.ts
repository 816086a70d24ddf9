// The checksum of the path without offload against its naive twin, over different packets at every alignment.
// Run alone: node bench/micro/checksum.bench.ts

import { u16 } from '../../lib/wire/bytes.ts'
import { add, finish } from '../../lib/wire/checksum.ts'

/** Different packets, so that neither the cache nor the branch predictor knows them by heart. */
const PACKETS = 1_000
const ROUNDS = 9

function naive(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0
  let i = from
  for (; i + 1 < to; i += 2) sum += u16(bytes, i)
  return finish(i < to ? sum + (bytes[i]! << 8) : sum)
}

function fast(bytes: Uint8Array, from: number, to: number): number {
  return finish(add(0, bytes, from, to))
}

/** Median ns per packet, and the spread. What is computed is kept, else V8 leaves it out. */
function measure(sum: typeof fast, memory: Uint8Array, length: number): [median: number, spread: string, kept: number] {
  const passes = Math.max(1, Math.floor(40_000_000 / (PACKETS * length)))
  const kept = new Uint16Array(PACKETS)
  const times: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const begun = performance.now()
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < PACKETS; i++) {
        const from = (i * 4099) % (memory.length - length)
        kept[i] = sum(memory, from, from + length)
      }
    }
    if (round > 0) times.push(((performance.now() - begun) * 1e6) / (passes * PACKETS))
  }
  times.sort((a, b) => a - b)
  return [times[ROUNDS >> 1]!, `${times[0]!.toFixed(0)}–${times.at(-1)!.toFixed(0)}`, kept.reduce((a, b) => a ^ b, 0)]
}

const memory = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 2_654_435_761) >>> 13)
for (const length of [40, 1400, 65_000]) {
  const [slowNs, slowSpread, a] = measure(naive, memory, length)
  const [fastNs, fastSpread, b] = measure(fast, memory, length)
  if (a !== b) throw new Error('the two do not agree')
  const rate = (length / fastNs).toFixed(1)
  console.log(
    `${String(length).padStart(6)} bytes: naive ${slowNs.toFixed(0)} ns (${slowSpread}), ` +
      `fast ${fastNs.toFixed(0)} ns (${fastSpread}), ${(slowNs / fastNs).toFixed(1)} × as fast, ${rate} GB/s`
  )
}
