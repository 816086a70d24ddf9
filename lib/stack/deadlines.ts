// Whose time is up next? A binary heap, so that thousands of idle connections cost nothing.

/** Something with a deadline. `dueAt` and `heapIndex` are the heap's alone; begin with Infinity and -1. */
export interface Timed {
  /** In the clock's milliseconds; Infinity for none. */
  readonly deadline: number
  dueAt: number
  heapIndex: number
}

/**
 * Deadlines mostly move later (every ACK moves one), and then the heap is left alone: an entry may stand in it too early,
 * never too late, and is put right when its turn comes.
 */
export class Deadlines<T extends Timed> {
  readonly #heap: T[] = []

  /** No deadline lies before this; Infinity for none. */
  get earliest(): number {
    return this.#heap[0]?.dueAt ?? Infinity
  }

  /** `timed.deadline` may have changed. */
  update(timed: T): void {
    const { deadline } = timed
    if (deadline >= timed.dueAt) return
    timed.dueAt = deadline
    if (timed.heapIndex < 0) {
      timed.heapIndex = this.#heap.length
      this.#heap.push(timed)
    }
    this.#up(timed)
  }

  /** Take out one that is due by now; undefined when there is none (any more). Call `update` when it was served. */
  due(now: number): T | undefined {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || first.dueAt > now) return undefined
      this.remove(first)
      if (first.deadline <= now) return first
      this.update(first)
    }
  }

  remove(timed: T): void {
    const at = timed.heapIndex
    if (at < 0) return
    timed.heapIndex = -1
    timed.dueAt = Infinity
    const last = this.#heap.pop()!
    if (last === timed) return
    this.#place(last, at)
    this.#up(last)
    this.#down(last)
  }

  #place(timed: T, at: number): void {
    this.#heap[at] = timed
    timed.heapIndex = at
  }

  #up(timed: T): void {
    let at = timed.heapIndex
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1]!
      if (parent.dueAt <= timed.dueAt) break
      this.#place(parent, at)
      at = (at - 1) >> 1
    }
    this.#place(timed, at)
  }

  #down(timed: T): void {
    const heap = this.#heap
    let at = timed.heapIndex
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const right = left + 1
      const child = right < heap.length && heap[right]!.dueAt < heap[left]!.dueAt ? right : left
      if (heap[child]!.dueAt >= timed.dueAt) break
      this.#place(heap[child]!, at)
      at = child
    }
    this.#place(timed, at)
  }
}
