// Sets of addresses as intervals of numbers: what route planning calculates with. Pure; ip-address reads and writes the text.
import { Address4, Address6 } from 'ip-address'

/** The addresses `first` to `last`, both included, of one family. */
export interface Interval {
  family: 4 | 6
  first: bigint
  last: bigint
}

/** An address, or a range as address/prefix (bits of the host may be set); undefined for anything else. */
export function parseRange(text: string): Interval | undefined {
  try {
    if (text.includes(':')) {
      if (text.includes('%')) return undefined // a zone belongs to one link of one computer
      const range = new Address6(text)
      return { family: 6, first: range.startAddress().bigInt(), last: range.endAddress().bigInt() }
    }
    const range = new Address4(text)
    return { family: 4, first: range.startAddress().bigInt(), last: range.endAddress().bigInt() }
  } catch {
    return undefined
  }
}

/** The intervals of `from` without every address in `out`; each rest keeps the other fields of what it is cut from. */
export function subtract<T extends Interval>(from: readonly T[], out: readonly Interval[]): T[] {
  const sorted = [...out].sort(byAddress)
  return from.flatMap(each => {
    const rest: T[] = []
    let first = each.first
    for (const { last: until, first: cut } of sorted.filter(hole => overlap(each, hole))) {
      if (first < cut) rest.push({ ...each, first, last: cut - 1n })
      if (first <= until) first = until + 1n
    }
    if (first <= each.last) rest.push({ ...each, first })
    return rest
  })
}

/** IPv4 first, then by the first address. */
export function byAddress(a: Interval, b: Interval): number {
  if (a.family !== b.family) return a.family - b.family
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0
}

export function overlap(a: Interval, b: Interval): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}

/** The fewest ranges in CIDR notation that hold exactly these addresses. */
export function toCidrs({ family, first, last }: Interval): string[] {
  const bits = family === 4 ? 32 : 128
  const cidrs: string[] = []
  for (let at = first; at <= last; ) {
    // The largest block that begins here: as large as its alignment allows, and no larger than what is left.
    let size = 0
    while (size < bits && ((at >> BigInt(size)) & 1n) === 0n && at + (1n << BigInt(size + 1)) - 1n <= last) size++
    cidrs.push(`${format(family, at)}/${bits - size}`)
    at += 1n << BigInt(size)
  }
  return cidrs
}

/** Canonical text of an address; RFC 5952 for IPv6. */
export function format(family: 4 | 6, address: bigint): string {
  return (family === 4 ? Address4 : Address6).fromBigInt(address).correctForm()
}
