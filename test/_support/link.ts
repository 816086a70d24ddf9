// A bad link between two ends, in virtual time.

export interface LinkOptions {
  /** One way, in ms. */
  delayMs: number
  /** Up to this much is added to the delay of each packet: above 0 packets overtake each other. */
  jitterMs?: number
  /** Probabilities, 0 to 1. */
  loss?: number
  duplicate?: number
  /** Bytes per ms in each direction; packets wait for each other, in a queue of at most `queueBytes`. */
  rate?: number
  queueBytes?: number
}

interface Flying {
  at: number
  to: 0 | 1
  bytes: Uint8Array
}

export class Link {
  /** Packets that were lost on the way or did not fit into the queue. */
  lost = 0
  readonly #options: Required<LinkOptions>
  readonly #dice: () => number
  /** Sorted by arrival, the next one last. */
  readonly #flying: Flying[] = []
  /** Until when each direction is busy. */
  readonly #busy: [number, number] = [0, 0]

  constructor(options: LinkOptions, dice: () => number) {
    this.#options = { jitterMs: 0, loss: 0, duplicate: 0, rate: Infinity, queueBytes: Infinity, ...options }
    this.#dice = dice
  }

  /** Take a packet for end `to`; the bytes are kept. */
  send(to: 0 | 1, bytes: Uint8Array, now: number): void {
    const { delayMs, jitterMs, loss, duplicate, rate, queueBytes } = this.#options
    const waiting = Math.max(0, this.#busy[to] - now)
    if (this.#dice() < loss || waiting * rate > queueBytes) {
      this.lost++
      return
    }
    this.#busy[to] = now + waiting + bytes.length / rate
    const copies = this.#dice() < duplicate ? 2 : 1
    for (let i = 0; i < copies; i++) this.#fly({ at: this.#busy[to] + delayMs + this.#dice() * jitterMs, to, bytes })
  }

  /** When the next packet arrives; Infinity: none is on the way. */
  get next(): number {
    return this.#flying.at(-1)?.at ?? Infinity
  }

  /** The next packet that has arrived by `now`. */
  receive(now: number): { to: 0 | 1; bytes: Uint8Array } | undefined {
    return this.next <= now ? this.#flying.pop() : undefined
  }

  #fly(packet: Flying): void {
    const list = this.#flying
    let i = list.length
    while (i > 0 && list[i - 1]!.at <= packet.at) i--
    list.splice(i, 0, packet)
  }
}
