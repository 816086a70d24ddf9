// Exchanges, previews and meshes that are begun and given back while a session runs, by the functions that the commands use.
import { KtError } from '../errors.ts'
import { demandRights } from '../kube/api/access.ts'
import type { Right } from '../kube/api/api-error.ts'
import type { Cluster } from '../kube/api/client.ts'
import { parseMark } from '../kube/mesh/match.ts'
import { demandSelectorTarget, parseTarget } from '../kube/traffic/target.ts'
import type { Report } from './report.ts'
import { runSession } from './run.ts'
import type { Parts } from './status.ts'
import { type ExchangeWish, exchangeRights, planExchange } from './traffic-in/exchange.ts'
import type { Begun, Exposing, LocalOptions, Planned } from './traffic-in/exposing.ts'
import { type MeshWish, meshRights, planMesh } from './traffic-in/mesh.ts'
import { type PreviewWish, planPreview, previewRights } from './traffic-in/preview.ts'

/** Each has a pod of its own. */
const WORKS_MAX = 20

export interface Wish {
  kind: 'exchange' | 'preview' | 'mesh'
  service: string
  /** As behind `--expose`. */
  expose: string
  /** As behind `--versionMark`, or empty. */
  versionMark: string
}

/** One of them. */
export interface Work {
  readonly id: string
  readonly kind: Wish['kind']
  readonly service: string
  state: 'starting' | 'running' | 'ending'
  /** Milliseconds since the epoch. */
  readonly since: number
  exposed: string[]
}

interface Running extends Work {
  readonly stop: AbortController
  readonly parts: Parts
  /** Resolves when everything is put back. */
  over: Promise<void>
}

export interface WorksOptions {
  cluster: Cluster
  options: LocalOptions
  report: Report
}

export class Works {
  readonly #options: WorksOptions
  readonly #works = new Map<string, Running>()
  #ids = 0
  #closed: boolean = false

  constructor(options: WorksOptions) {
    this.#options = options
  }

  list(): Work[] {
    return [...this.#works.values()].map(({ id, kind, service, state, since, exposed }) => ({
      ...{ id, kind, service, state, since, exposed }
    }))
  }

  /** Their own lines to their own agents. */
  parts(): Parts[] {
    return [...this.#works.values()].map(({ parts }) => parts)
  }

  /** Resolves when it works; rejects with the KtError that kept it from that, after everything is put back. */
  async begin(wish: Wish): Promise<Work> {
    if (this.#closed || this.#works.size >= WORKS_MAX)
      throw new KtError('KT_CONFLICT', this.#closed ? 'kt is ending' : `more than ${WORKS_MAX} at a time are too many`)
    const { rights, plan } = planOf(wish)
    const { kind, service } = wish
    const work: Running = {
      ...{ id: String(++this.#ids), kind, service, state: 'starting', since: Date.now(), exposed: [], parts: {} },
      stop: new AbortController(),
      over: Promise.resolve()
    }
    this.#works.set(work.id, work)
    await new Promise<void>((resolve, reject) => {
      work.over = this.#run(work, rights, plan, resolve).then(
        // Ended before it worked: resolving a second time does nothing.
        () => reject(new KtError('KT_CONFLICT', `${kind} ${service} was ended`)),
        reject
      )
    })
    return this.list().find(({ id }) => id === work.id) ?? work
  }

  /** Put everything back; false: there is no such work. */
  async giveBack(id: string): Promise<boolean> {
    const work = this.#works.get(id)
    if (work === undefined) return false
    work.state = 'ending'
    work.stop.abort('given back')
    await work.over
    return true
  }

  /** Give all of them back. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#works.keys()].map(id => this.giveBack(id)))
  }

  async #run(work: Running, rights: Rights, plan: Plan, works: () => void): Promise<void> {
    const { cluster, options, report } = this.#options
    const { kind, service, stop, parts } = work
    try {
      await runSession(report, stop, async running => {
        const exposing: Exposing = { ...running, options, cluster, parts, began: performance.now() }
        await demandRights(cluster, { name: kind, rights }, stop.signal)
        const begin = await plan(exposing)
        const begun: Begun = await begin()
        work.exposed = begun.exposed
        parts.exposed = begun.exposed
        work.state = 'running'
        report({ event: 'note', text: begun.banner })
        works()
        return begun
      })
    } catch (error) {
      report({
        event: 'warning',
        text: `${kind} ${service}: ${error instanceof Error ? error.message : String(error)}`
      })
      throw error
    } finally {
      this.#works.delete(work.id)
    }
  }
}

type Rights = (namespace: string) => Right[]
type Plan = (exposing: Exposing) => Promise<Planned>

/** Throws KT_USAGE for what cannot be read. */
function planOf({ kind, service, expose, versionMark }: Wish): { rights: Rights; plan: Plan } {
  if (kind === 'preview') {
    const wish: PreviewWish = { name: service, expose, external: false }
    return { rights: previewRights(wish), plan: exposing => planPreview(exposing, wish) }
  }
  const target = parseTarget(service)
  if (kind === 'exchange') {
    const wish: ExchangeWish = { target, expose, takeover: false, fallback: false }
    return { rights: exchangeRights(wish), plan: exposing => planExchange(exposing, wish) }
  }
  demandSelectorTarget(target)
  const mark = parseMark(versionMark === '' ? undefined : versionMark)
  const wish: MeshWish = { target, expose, mark, matches: [], mirror: false, takeover: false }
  return { rights: meshRights(wish), plan: exposing => planMesh(exposing, wish) }
}
