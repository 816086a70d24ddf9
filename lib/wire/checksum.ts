// RFC 1071: the Internet checksum. Needed where the device does not compute it (no offload), and for headers.
// A sum is carried unfolded through `add` and `addPseudoHeader`, then `fold` or `finish` closes it.
import { u8 } from './bytes.ts'

/** Words per round: 2¹⁴ sums of two 16-bit halves stay below 2³¹, so that the loop runs on int32. */
const ROUND_BYTES = 1 << 16

// A packet is summed in pieces and packets of a batch share their memory, so the view of the last memory is kept.
let view: DataView<ArrayBufferLike> = new DataView(new ArrayBuffer(0))

/** Add `bytes[from, to)` to `sum`. An odd last byte counts as the high one, so only the last piece may be odd. */
export function add(sum: number, bytes: Uint8Array, from: number, to: number): number {
  if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer)
  const base = bytes.byteOffset
  let i = base + from
  const end = base + to
  while (end - i >= 4) {
    const stop = i + Math.min((end - i) & ~3, ROUND_BYTES)
    sum += words(view, i, stop)
    i = stop
  }
  if (end - i >= 2) {
    sum += view.getUint16(i)
    i += 2
  }
  return i < end ? sum + (u8(bytes, i - base) << 8) : sum
}

/** Sum of `[i, stop)`, a multiple of four bytes, read as two halves at a time; any alignment. */
function words(v: DataView, i: number, stop: number): number {
  let high = 0
  let low = 0
  for (; stop - i >= 16; i += 16) {
    const a = v.getInt32(i)
    const b = v.getInt32(i + 4)
    const c = v.getInt32(i + 8)
    const d = v.getInt32(i + 12)
    high += (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16)
    low += (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff)
  }
  for (; i < stop; i += 4) {
    const a = v.getInt32(i)
    high += a >>> 16
    low += a & 0xffff
  }
  return high + low
}

/**
 * Add the pseudo-header of TCP, UDP (RFC 9293 §3.1) or ICMPv6 (RFC 8200 §8.1): both addresses, which lie side by side in
 * `bytes[addressesFrom, addressesTo)` in either family, the protocol and the length of transport header and payload.
 */
export function addPseudoHeader(
  sum: number,
  bytes: Uint8Array,
  addressesFrom: number,
  addressesTo: number,
  protocol: number,
  length: number
): number {
  return add(sum + protocol + (length >>> 16) + (length & 0xffff), bytes, addressesFrom, addressesTo)
}

/** The carries folded in, not inverted: what a device that finishes the checksum wants to find in the field. */
export function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000)
  return sum
}

/** Folded and inverted: the value of a checksum field. Over bytes with a right checksum in them the result is 0. */
export function finish(sum: number): number {
  return ~fold(sum) & 0xffff
}
