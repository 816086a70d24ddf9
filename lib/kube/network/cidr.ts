// Ranges as the cluster writes them: read, compare, join. ip-address does the reading and the writing.
import { Address4, Address6 } from 'ip-address'

/** A range of one family, its host bits zero. */
export interface Cidr {
  family: 4 | 6
  first: bigint
  prefix: number
}

/** `address` or `address/prefix`; undefined for anything else. Host bits are cleared, zones refused. */
export function parseCidr(text: string): Cidr | undefined {
  try {
    if (text.includes('%')) return undefined
    const range = text.includes(':') ? new Address6(text) : new Address4(text)
    return { family: text.includes(':') ? 6 : 4, first: range.startAddress().bigInt(), prefix: range.subnetMask }
  } catch {
    return undefined
  }
}

/** Canonical text: RFC 5952 for IPv6. */
export function formatCidr({ family, first, prefix }: Cidr): string {
  return `${(family === 4 ? Address4 : Address6).fromBigInt(first).correctForm()}/${prefix}`
}

/** The network of `prefix` bits around an address. */
export function around({ family, first }: Cidr, prefix: number): Cidr {
  const shift = BigInt((family === 4 ? 32 : 128) - prefix)
  return { family, first: (first >> shift) << shift, prefix }
}

/** Is `b` the same as `a` or inside of it? */
export function contains(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.prefix <= b.prefix && around(b, a.prefix).first === a.first
}

/** The fewest ranges that hold exactly the same addresses. */
export function collapse(cidrs: readonly Cidr[]): Cidr[] {
  const kept: Cidr[] = []
  // In order of address, the larger first: whatever a range contains follows it, and so does its sibling.
  const sorted = [...cidrs].sort((a, b) => a.family - b.family || compare(a.first, b.first) || a.prefix - b.prefix)
  for (let next of sorted) {
    for (let last = kept.at(-1); last !== undefined; last = kept.at(-1)) {
      if (contains(last, next)) next = last
      else if (!siblings(last, next)) break
      else next = around(last, last.prefix - 1)
      kept.pop()
      if (next === last) break
    }
    kept.push(next)
  }
  return kept
}

function siblings(a: Cidr, b: Cidr): boolean {
  return a.prefix === b.prefix && a.prefix > 0 && contains(around(a, a.prefix - 1), b)
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
