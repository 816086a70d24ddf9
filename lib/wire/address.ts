// IP addresses as they lie in packets (4 or 16 bytes) and as canonical text (RFC 5952 for IPv6).
import { setU16, u16 } from './bytes.ts'

export const IPV4_LENGTH = 4
export const IPV6_LENGTH = 16

/** The address in `bytes[at, at + length)`, length 4 or 16, in the one spelling that is compared everywhere. */
export function formatAddress(bytes: Uint8Array, at: number, length: number): string {
  return length === IPV4_LENGTH ? formatIPv4(bytes, at) : formatIPv6(bytes, at)
}

/** The 4 or 16 bytes of an address; undefined if `text` is none. Zones (`%eth0`) are no part of an address. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text)
}

function formatIPv4(bytes: Uint8Array, at: number): string {
  const high = u16(bytes, at)
  const low = u16(bytes, at + 2)
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`
}

function formatIPv6(bytes: Uint8Array, at: number): string {
  const groups: number[] = []
  for (let i = 0; i < IPV6_LENGTH; i += 2) groups.push(u16(bytes, at + i))
  // RFC 5952 §5: an IPv4-mapped address shows the IPv4 part.
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff)
    return `::ffff:${formatIPv4(bytes, at + 12)}`
  const [from, to] = longestZeros(groups)
  const hex = groups.map(group => group.toString(16))
  if (to - from < 2) return hex.join(':') // RFC 5952 §4.2.2: one group of zeros is not shortened
  return `${hex.slice(0, from).join(':')}::${hex.slice(to).join(':')}`
}

/** The first longest run of zero groups, [from, to). */
function longestZeros(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0]
  for (let from = 0; from < groups.length; from++) {
    let to = from
    while (groups[to] === 0) to++
    if (to - from > best[1] - best[0]) best = [from, to]
    if (to > from) from = to
  }
  return best
}

function parseIPv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(IPV4_LENGTH)
  for (const [i, part] of parts.entries()) {
    // Without leading zeros: some programs read those as octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes[i] = Number(part)
  }
  return bytes
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0]!)
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : []
  if (head === undefined || tail === undefined) return undefined
  // An IPv4 part may stand at the very end only.
  if (halves.length === 2 && halves[0]!.includes('.')) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const bytes = new Uint8Array(IPV6_LENGTH)
  for (const [i, group] of head.entries()) setU16(bytes, 2 * i, group)
  for (const [i, group] of tail.entries()) setU16(bytes, 2 * (8 - tail.length + i), group)
  return bytes
}

function groupsOf(half: string): number[] | undefined {
  if (half === '') return []
  const groups: number[] = []
  const parts = half.split(':')
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes('.')) {
      const v4 = parseIPv4(part)
      if (v4 === undefined) return undefined
      groups.push(u16(v4, 0), u16(v4, 2))
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return groups
}
