// The zones in which addresses are looked up backwards: RFC 1035 §3.5 by octets, RFC 3596 §2.5 by nibbles. Pure.
import { parseRange } from './intervals.ts'

/** The fewest zones that hold the reverse names of exactly this range; at most 128 (IPv4) or 8 (IPv6). None for what is no range. */
export function reverseZones(cidr: string): string[] {
  const range = parseRange(cidr)
  if (range === undefined) return []
  const [bits, step, radix, suffix] = range.family === 4 ? [32, 8, 10, 'in-addr.arpa'] : [128, 4, 16, 'ip6.arpa']
  const hostBits = (range.last - range.first + 1n).toString(2).length - 1
  const labels = Math.ceil((bits - hostBits) / step)
  const shift = BigInt(bits - labels * step)
  const zones: string[] = []
  for (let prefix = range.first >> shift; prefix <= range.last >> shift; prefix++) {
    const reversed = Array.from({ length: labels }, (_, i) => {
      return ((prefix >> BigInt(i * step)) & ((1n << BigInt(step)) - 1n)).toString(radix)
    })
    zones.push([...reversed, suffix].join('.'))
  }
  return zones
}
