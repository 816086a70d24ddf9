// A caller's idle connections to servers, one for each way.
import type { Upstream, UpstreamListener } from './upstream.ts'

/** A pod of a route is asked over one connection for this long, ms: with each new one it decides anew whether the laptop is there. */
export const ROUTE_MS = 1_000
/** A request that cannot be asked twice does not go over a connection that was left aside for so long, ms: servers give up idle ones. */
const ASIDE_MS = 1_000
/** Ways that one caller takes in turns. */
const MAX_KEPT = 8

/** Whose they are. */
export interface KeptListener {
  /** The server that was heard last says something without being asked. */
  spoken(bytes: Buffer): void
  /** The server that was heard last has ended the connection. */
  gone(): void
}

export class Kept implements UpstreamListener {
  readonly #listener: KeptListener
  readonly #byKey = new Map<string, Upstream>()
  /** The one whose answer was the last, if it is still here. */
  #last: Upstream | undefined

  constructor(listener: KeptListener) {
    this.#listener = listener
  }

  /** It has answered and is idle. */
  put(upstream: Upstream): void {
    const { key, socket } = upstream
    const before = this.#byKey.get(key)
    if (before !== undefined) this.#drop(before)
    this.#byKey.set(key, upstream)
    this.#last = upstream
    upstream.listener = this
    if (socket.isPaused()) socket.resume()
    if (this.#byKey.size <= MAX_KEPT) return
    const [oldest] = this.#byKey.values()
    this.#drop(oldest!)
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
    this.#forget(upstream)
    return upstream
  }

  close(): void {
    for (const upstream of this.#byKey.values()) this.#drop(upstream)
  }

  // ---- idle ones ---------------------------------------------------------------------------------------------------

  answered(bytes: Buffer, upstream: Upstream): void {
    const last = this.#last === upstream
    this.#drop(upstream)
    if (last) this.#listener.spoken(bytes)
  }

  ended(upstream: Upstream): void {
    const last = this.#last === upstream
    this.#drop(upstream)
    if (last) this.#listener.gone()
  }

  lost(upstream: Upstream): void {
    this.ended(upstream)
  }

  drained(): void {}

  /** It ends with FIN. */
  #drop(upstream: Upstream): void {
    this.#forget(upstream)
    upstream.close()
  }

  #forget(upstream: Upstream): void {
    this.#byKey.delete(upstream.key)
    upstream.listener = undefined
    if (this.#last === upstream) this.#last = undefined
  }
}
