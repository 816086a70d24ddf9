// An upstream that asks us for what we ask it: found out as dnsmasq does, by a name of our own that comes back.
import { randomBytes } from 'node:crypto'
import { encode, RECURSION_DESIRED } from 'dns-packet'

/** RFC 6761: nobody has names there. */
const PROBE_DOMAIN = 'kt-loop.test'
/** A suspicion is looked into at most so often. */
const PROBE_EVERY_MS = 5000
/** An upstream that leads back to us is left out for so long; it may be set up otherwise by then. */
const LOOP_MS = 60_000

export class LoopGuard {
  readonly #send: (message: Uint8Array, upstream: string) => void
  readonly #probes = new Map<string, string>()
  readonly #loopsUntil = new Map<string, number>()
  readonly #waiting = new Set<() => void>()
  #probedAt = Number.NEGATIVE_INFINITY

  /** @param send puts a question on its way; its answer is of no interest */
  constructor(send: (message: Uint8Array, upstream: string) => void) {
    this.#send = send
  }

  /** Two equal questions are under way: perhaps two programs, perhaps our own one on its way round. */
  suspect(upstreams: readonly string[]): void {
    const now = performance.now()
    if (now - this.#probedAt < PROBE_EVERY_MS) return
    this.#probedAt = now
    this.#probes.clear()
    for (const upstream of upstreams) {
      const name = `${randomBytes(8).toString('hex')}.${PROBE_DOMAIN}`
      this.#probes.set(name, upstream)
      const id = randomBytes(2).readUInt16BE()
      this.#send(encode({ type: 'query', id, flags: RECURSION_DESIRED, questions: [{ type: 'TXT', name }] }), upstream)
    }
  }

  /** True if the question is one of ours: its upstream is left out from now on. */
  cameBack(name: string): boolean {
    const upstream = this.#probes.get(name)
    if (upstream === undefined) return false
    this.#loopsUntil.set(upstream, performance.now() + LOOP_MS)
    for (const wake of this.#waiting) wake()
    return true
  }

  /** True if the upstream leads back to us. */
  loops(upstream: string): boolean {
    return (this.#loopsUntil.get(upstream) ?? 0) > performance.now()
  }

  /** `promise`, but rejects as soon as a loop is found. */
  async unlessLoop<T>(promise: Promise<T>): Promise<T> {
    let wake = (): void => {}
    const found = new Promise<never>((_, reject) => {
      wake = () => reject(new Error('the upstream asks us'))
      this.#waiting.add(wake)
    })
    try {
      return await Promise.race([promise, found])
    } finally {
      this.#waiting.delete(wake)
    }
  }
}
