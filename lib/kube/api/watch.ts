// List, then watch, for as long as asked: bookmarks, 410, cut connections, back-off. An informer of our own, because the API
// client's stops at the first ECONNRESET, asks for no bookmarks, and reconnects every 30 s where nothing happens.
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../../errors.ts'
import type { Api } from './api.ts'
import { readStatus, statusOf } from './api-error.ts'
import type { Resource } from './resource.ts'

/** Objects per page of a list. */
const PAGE = 500
/** The server ends a watch after this many seconds, each watch at its own time, and we begin the next. */
const WATCH_SECONDS = [300, 600] as const
/** A watch that has not ended so long after its time never will: its connection is dead, and nobody has told, s. */
const LATE_SECONDS = 5
/** Between attempts after a failure: doubles from first to last, each spread by half to keep many clients apart. */
const BACKOFF_FIRST_MS = 250
const BACKOFF_LAST_MS = 10_000
/** Failures in a row from which on somebody should know: one is an API server that restarts, or a proxy that ends long connections. */
const TROUBLE_FAILURES = 3
/** A watch that ran this long was a good one: the next failure starts at the first back-off again. */
const HEALTHY_MS = 5_000
/** One event is one object; etcd takes 1.5 MiB. */
const LINE_MAX_CHARS = 16 * 1024 * 1024

/** What every watched object has. */
export interface Watched {
  metadata?: { name?: string; namespace?: string; resourceVersion?: string; uid?: string }
}

export interface WatchOptions<T> {
  resource: Resource
  /** Without one: all namespaces, or a cluster-scoped resource. */
  namespace?: string | undefined
  query?: { fieldSelector?: string; labelSelector?: string }
  signal: AbortSignal
  /** Once per object that is new, different or gone; `undefined` is gone. A relist reports only differences. */
  onObject(key: string, object: T | undefined): void
  /** The first complete list has been reported. */
  onSynced?(): void
  /** An attempt failed and will be repeated; `KT_FORBIDDEN` comes here too when rights were taken away. */
  onTrouble?(error: Error): void
  /** In place of WATCH_SECONDS; for tests. */
  seconds?: readonly [least: number, most: number]
}

/** Key of an object in all callbacks: `namespace/name`, or the name alone. */
export function keyOf({ metadata }: Watched): string {
  return metadata?.namespace ? `${metadata.namespace}/${metadata.name}` : (metadata?.name ?? '')
}

/**
 * Report all objects, then return and keep reporting until `signal` fires. Rejects when the first list is refused (no
 * right, no such resource, no server); later failures are repeated with back-off, at once when `api.way` fires.
 */
export async function watchObjects<T extends Watched>(api: Api, options: WatchOptions<T>): Promise<void> {
  const watch = new ObjectWatch(api, options)
  await watch.list(options.signal)
  options.onSynced?.()
  void watch.run()
}

class ObjectWatch<T extends Watched> {
  readonly #api: Api
  readonly #options: WatchOptions<T>
  /** Key → resourceVersion of what was reported. */
  readonly #known = new Map<string, string>()
  #version = ''

  constructor(api: Api, options: WatchOptions<T>) {
    this.#api = api
    this.#options = options
  }

  /** A complete list, page by page, compared with what was reported before. */
  async list(signal: AbortSignal): Promise<void> {
    const { resource, namespace, query } = this.#options
    const seen = new Set<string>()
    let version: string
    let next: string | undefined
    do {
      const page: { items?: T[]; metadata?: { resourceVersion?: string; continue?: string } } = await this.#api.call(
        {
          ...resource,
          verb: 'list',
          namespace,
          query: { ...query, limit: String(PAGE), ...(next ? { continue: next } : {}) }
        },
        signal
      )
      for (const object of page.items ?? []) {
        seen.add(keyOf(object))
        this.#report(keyOf(object), object)
      }
      version = page.metadata?.resourceVersion ?? ''
      next = page.metadata?.continue || undefined
    } while (next !== undefined)
    for (const key of [...this.#known.keys()]) if (!seen.has(key)) this.#report(key, undefined)
    this.#version = version // not before: half a list is none
  }

  async run(): Promise<void> {
    const { signal, onTrouble } = this.#options
    let failures = 0
    while (!signal.aborted) {
      const { way } = this.#api
      const stop = AbortSignal.any([signal, way])
      const began = performance.now()
      try {
        if (this.#version === '') await this.list(stop)
        await this.#watch(stop)
        if (performance.now() - began < HEALTHY_MS)
          failures++ // an end without an error, but far too early
        else failures = 0
      } catch (error) {
        if (signal.aborted) break
        if (statusOf(error) === 410) this.#version = '' // our version is too old for the server: list again
        if (performance.now() - began >= HEALTHY_MS) failures = 0
        failures++
        if (way.aborted)
          failures = 0 // no failure of the server's, and no reason to wait
        else if (statusOf(error) !== 410) onTrouble?.(error as Error)
        if (failures >= TROUBLE_FAILURES)
          this.#api.troubles.begin(this, `${this.#name} are not seen changing: ${(error as Error).message}`)
      }
      if (failures > 0) await this.#pause(failures, stop)
    }
    this.#api.troubles.end(this)
  }

  /** `services in namespace demo`, for people. */
  get #name(): string {
    const { resource, namespace } = this.#options
    return namespace === undefined ? resource.resource : `${resource.resource} in namespace ${namespace}`
  }

  async #pause(failures: number, signal: AbortSignal): Promise<void> {
    const wait = Math.min(BACKOFF_FIRST_MS * 2 ** (failures - 1), BACKOFF_LAST_MS)
    await sleep(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { resource, namespace, query, seconds: [least, most] = WATCH_SECONDS } = this.#options
    const seconds = Math.round(least + Math.random() * (most - least))
    const late = AbortSignal.timeout((seconds + LATE_SECONDS) * 1000)
    const response = await this.#api.open(
      {
        ...resource,
        verb: 'watch',
        namespace,
        query: {
          ...query,
          resourceVersion: this.#version,
          allowWatchBookmarks: 'true',
          timeoutSeconds: String(seconds)
        }
      },
      AbortSignal.any([signal, late])
    )
    this.#api.troubles.end(this)
    response.setEncoding('utf8')
    let rest = ''
    for await (const chunk of response as AsyncIterable<string>) {
      rest += chunk
      let start = 0
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
        this.#event(rest.slice(start, end))
        start = end + 1
      }
      rest = rest.slice(start)
      if (rest.length > LINE_MAX_CHARS)
        throw new KtError('KT_API', `a watch event of ${resource.resource} is too large`)
    }
  }

  #event(line: string): void {
    if (line.trim() === '') return
    const { type, object } = JSON.parse(line) as { type: string; object: T & { code?: number } }
    if (type === 'ERROR') {
      const status = readStatus(object.code ?? 500, JSON.stringify(object))
      throw new KtError('KT_API', `the watch of ${this.#options.resource.resource} ended: ${status.message}`, {
        cause: status
      })
    }
    this.#version = object.metadata?.resourceVersion ?? this.#version
    if (type === 'BOOKMARK') return
    this.#report(keyOf(object), type === 'DELETED' ? undefined : object)
  }

  #report(key: string, object: T | undefined): void {
    if (object === undefined) {
      if (this.#known.delete(key)) this.#options.onObject(key, undefined)
      return
    }
    // The uid is part of it: a name may have been deleted and made again between two lists.
    const version = `${object.metadata?.uid} ${object.metadata?.resourceVersion}`
    if (this.#known.get(key) === version) return
    this.#known.set(key, version)
    this.#options.onObject(key, object)
  }
}
