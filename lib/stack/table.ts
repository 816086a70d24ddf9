// 4-tuple → conversation. Nothing is built to ask: the packet's own bytes are hashed and compared.
import type { IpView } from '../wire/ip.ts'
import { hashOf, type Path } from './path.ts'

/** A power of two; with the stack's limit on connections a chain holds two entries on average. */
const BUCKETS = 8192

/** What a table holds: entries of one bucket are chained by `next`, which only the table writes. */
export interface TableEntry<T> {
  readonly path: Path
  next: T | undefined
}

export class Table<T extends TableEntry<T>> {
  readonly #buckets: (T | undefined)[] = new Array<T | undefined>(BUCKETS).fill(undefined)
  size = 0

  /** The conversation that a packet with these ports belongs to. */
  find(packet: IpView, sourcePort: number, destinationPort: number): T | undefined {
    let entry = this.#buckets[hashOf(packet, sourcePort, destinationPort) & (BUCKETS - 1)]
    while (entry !== undefined && !entry.path.is(packet, sourcePort, destinationPort)) entry = entry.next
    return entry
  }

  /** Add an entry whose path is not in here yet. */
  add(entry: T): void {
    const bucket = entry.path.hash & (BUCKETS - 1)
    entry.next = this.#buckets[bucket]
    this.#buckets[bucket] = entry
    this.size++
  }

  /** Is this very entry in here? */
  has(entry: T): boolean {
    let at = this.#buckets[entry.path.hash & (BUCKETS - 1)]
    while (at !== undefined && at !== entry) at = at.next
    return at !== undefined
  }

  /** Remove an entry; false if it is not in here. */
  remove(entry: T): boolean {
    const bucket = entry.path.hash & (BUCKETS - 1)
    let before: T | undefined
    let at = this.#buckets[bucket]
    while (at !== undefined && at !== entry) {
      before = at
      at = at.next
    }
    if (at === undefined) return false
    if (before === undefined) this.#buckets[bucket] = at.next
    else before.next = at.next
    at.next = undefined
    this.size--
    return true
  }

  /** All entries; what is removed or added meanwhile may or may not be among them. */
  all(): T[] {
    const entries: T[] = []
    for (const head of this.#buckets) {
      for (let entry = head; entry !== undefined; entry = entry.next) entries.push(entry)
    }
    return entries
  }
}
