// Virtual addresses: ranges that another session has already get others of the same size, address for address. Pure.
import { format, type Interval, overlap, parseRange, subtract, toCidrs } from './intervals.ts'

/** A range of the cluster and how far away its virtual one is. */
interface Mapped extends Interval {
  distance: bigint
}

/** What stays for as long as a session runs: a virtual address that a program knows never changes its meaning. */
export class VirtualRanges {
  readonly #pools: readonly Interval[]
  readonly #mapped: Mapped[] = []

  /** @param pools one of each family, in CIDR notation */
  constructor(pools: readonly string[]) {
    this.#pools = pools.map(parseRange).filter(range => range !== undefined)
  }

  /** True if a part of the range has virtual addresses. */
  touches(cidr: string): boolean {
    const range = parseRange(cidr)
    return range !== undefined && this.#mapped.some(each => overlap(each, range))
  }

  /**
   * The virtual range of `cidr`, the same one whenever it is asked for. It keeps the last bits of its addresses where that is free: 10.96.0.7
   * is 241.96.0.7. Nothing of it is in `taken`. Undefined: the pool has no room, or this is no range.
   */
  assign(cidr: string, taken: readonly string[]): string | undefined {
    const range = parseRange(cidr)
    const pool = this.#pools.find(({ family }) => family === range?.family)
    if (range === undefined || pool === undefined) return undefined
    const known = this.#mapped.find(each => subtract([range], [each]).length === 0)
    if (known !== undefined) return toCidrs(shifted(range, known.distance))[0]
    const others = taken.map(parseRange).filter(each => each !== undefined)
    const distance = this.#place(range, pool, others)
    if (distance === undefined) return undefined
    this.#mapped.push({ ...range, distance })
    return toCidrs(shifted(range, distance))[0]
  }

  /** The address under which programs reach this one of the cluster; itself where it has no other. */
  toVirtual(address: string): string {
    return this.#move(address, each => each.distance, 0n)
  }

  /** The address of the cluster that is meant by this one; itself where it is not virtual. */
  toReal(address: string): string {
    return this.#move(address, each => -each.distance, 1n)
  }

  /** `from` 0: the ranges themselves, 1: their virtual ones. */
  #move(address: string, by: (mapped: Mapped) => bigint, from: bigint): string {
    const one = this.#mapped.length === 0 ? undefined : parseRange(address)
    if (one === undefined) return address
    const range = this.#mapped.find(each => overlap(shifted(each, from * each.distance), one))
    return range === undefined ? address : format(one.family, one.first + by(range))
  }

  /** How far the range has to be moved to a free place. */
  #place(range: Interval, pool: Interval, others: readonly Interval[]): bigint | undefined {
    const size = range.last - range.first + 1n
    const room = pool.last - pool.first + 1n
    if (size > room) return undefined
    /** What is in the way at `first`; ranges that are moved just as far are parts of one another. */
    const obstacle = (first: bigint): Interval | undefined => {
      const there = { family: pool.family, first, last: first + size - 1n }
      const distance = first - range.first
      return (
        others.find(each => overlap(each, there)) ??
        this.#mapped
          .filter(each => each.distance !== distance)
          .map(each => shifted(each, each.distance))
          .find(each => overlap(each, there))
      )
    }
    const wanted = pool.first + (range.first % room)
    if (obstacle(wanted) === undefined) return wanted - range.first
    for (let first = pool.first; first + size - 1n <= pool.last; ) {
      const blocked = obstacle(first)
      if (blocked === undefined) return first - range.first
      first = ((blocked.last + size) / size) * size
    }
    return undefined
  }
}

function shifted({ family, first, last }: Interval, distance: bigint): Interval {
  return { family, first: first + distance, last: last + distance }
}
