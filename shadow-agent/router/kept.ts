// A caller's idle connections to servers, one for each way.
import type { Upstream } from './upstream.ts'

/** A pod of a route is asked over one connection for this long, ms: with each new one it decides anew whether the laptop is there. */
export const ROUTE_MS = 1_000
/** A request that cannot be asked twice does not go over a connection that was left aside for so long, ms: servers give up idle ones. */
const ASIDE_MS = 1_000
/** Ways that one caller takes in turns. */
const MAX_KEPT = 8

export interface KeptOptions {
  /** The server that was heard last says something without being asked. */
  spoken(bytes: Buffer): void
  /** The server that was heard last has ended the connection. */
  gone(): void
}

export class Kept {
  readonly #options: KeptOptions
  /** In the order of their last answers. */
  readonly #byKey = new Map<string, Upstream>()

  constructor(options: KeptOptions) {
    this.#options = options
  }

  /** It has answered and is idle. */
  put(upstream: Upstream): void {
    this.#byKey.get(upstream.key)?.close()
    this.#byKey.delete(upstream.key)
    this.#byKey.set(upstream.key, upstream)
    const gone = (): void => {
      const last = this.#last === upstream
      this.#drop(upstream)
      if (last) this.#options.gone()
    }
    upstream.listener = {
      answered: bytes => {
        const last = this.#last === upstream
        this.#drop(upstream)
        if (last) this.#options.spoken(bytes)
      },
      ended: gone,
      lost: gone,
      drained: () => {}
    }
    upstream.socket.resume()
    for (const oldest of this.#byKey.values()) {
      if (this.#byKey.size <= MAX_KEPT) break
      this.#drop(oldest)
    }
  }

  /** The one for a way, if it is fit for a request; `askable`: that can be asked again. It is the caller's then. */
  take(key: string, askable: boolean): Upstream | undefined {
    const upstream = this.#byKey.get(key)
    if (upstream === undefined) return undefined
    const now = performance.now()
    const old = key !== '' && now - upstream.openedAt > ROUTE_MS
    const aside = now - upstream.answeredAt > ASIDE_MS && upstream !== this.#last
    if (old || (aside && !askable)) {
      this.#drop(upstream)
      return undefined
    }
    this.#byKey.delete(key)
    upstream.listener = undefined
    return upstream
  }

  close(): void {
    for (const upstream of this.#byKey.values()) this.#drop(upstream)
  }

  get #last(): Upstream | undefined {
    return [...this.#byKey.values()].at(-1)
  }

  #drop(upstream: Upstream): void {
    this.#byKey.delete(upstream.key)
    upstream.listener = undefined // idle: it ends with FIN
    upstream.close()
  }
}
