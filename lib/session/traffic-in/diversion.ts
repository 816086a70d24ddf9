// One service kept diverted: watched, healed when somebody's manifest changes it back, given back while there is no shadow.
import type { Cluster, Pod, Service } from '../../kube/api/client.ts'
import { PODS, SERVICES } from '../../kube/api/resource.ts'
import { watchObjects } from '../../kube/api/watch.ts'
import { EXCHANGE_KEY } from '../../kube/names.ts'
import {
  type Diverting,
  divert,
  dressShadows,
  followSelector,
  getService,
  restore,
  retireShadows
} from '../../kube/traffic/exchange.ts'
import { exchangeState, originalSelector, sameSelector } from '../../kube/traffic/exchange-plan.ts'
import { describeOwner, ownerOf } from '../../kube/traffic/owner.ts'
import { isReady } from '../../kube/traffic/ready-pods.ts'
import type { Report } from '../report.ts'
import { Reconciler } from './reconciler.ts'

/** In a minute. */
const HEALS_MAX = 5

export interface DiversionOptions {
  cluster: Cluster
  plan: Diverting
  annotations: Record<string, string>
  report: Report
  signal: AbortSignal
  /** There are no original pods that could serve without a shadow. */
  alone?: boolean
}

export class Diversion {
  readonly #options: DiversionOptions
  readonly #plan: Diverting
  readonly #shadows = new Map<string, boolean>()
  readonly #loop: Reconciler
  #uid: string | undefined
  #onReady: (() => void) | undefined

  constructor(options: DiversionOptions) {
    this.#options = options
    this.#plan = { ...options.plan }
    const { service } = options.plan
    const reconcile = () => this.#reconcile()
    this.#loop = new Reconciler({ service, report: options.report, healsMax: HEALS_MAX, reconcile })
  }

  /** Resolves when the service is not ours any more: taken over, or undone by somebody else. */
  get lost(): Promise<Error> {
    return this.#loop.lost
  }

  /** Begin to watch, wait for a shadow that is Ready, and lead the service to it. The laptop must be connected by then. */
  async begin(): Promise<void> {
    const { cluster, signal } = this.#options
    const ready = new Promise<void>((resolve, reject) => {
      this.#onReady = resolve
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    ready.catch(() => {}) // the watch may be the first to say so
    await watchObjects<Pod>(cluster.api, {
      resource: PODS,
      namespace: cluster.namespace,
      query: { labelSelector: `${EXCHANGE_KEY}=${this.#plan.token}` },
      signal,
      onObject: (key, pod) => this.#shadow(key, pod)
    })
    await ready
    await this.#divert()
    this.#loop.begin()
    await watchObjects<Service>(cluster.api, {
      resource: SERVICES,
      namespace: cluster.namespace,
      query: { fieldSelector: `metadata.name=${this.#plan.service}` },
      signal,
      onObject: () => this.#loop.look()
    })
  }

  /** Stop watching and give the service back; resolves when it is as it was. Called again, or before `begin`: does what is left to do. */
  async end(): Promise<void> {
    await this.release()
    await retireShadows(this.#options.cluster, this.#plan)
  }

  /** The same without taking the shadows out of the service: other services still lead to them. */
  async release(): Promise<void> {
    await this.#loop.end()
    await restore(this.#options.cluster, this.#plan.service, this.#plan.token)
  }

  async #divert(): Promise<void> {
    const { cluster, annotations } = this.#options
    await dressShadows(cluster, this.#plan)
    const service = await divert(cluster, this.#plan, annotations)
    this.#uid = service.metadata?.uid
  }

  #shadow(key: string, pod: Pod | undefined): void {
    if (pod === undefined) this.#shadows.delete(key)
    else this.#shadows.set(key, isReady(pod))
    if (this.#hasShadow) this.#onReady?.()
    this.#loop.look()
  }

  get #hasShadow(): boolean {
    return [...this.#shadows.values()].some(Boolean)
  }

  async #reconcile(): Promise<void> {
    const { cluster } = this.#options
    const { service: name, token } = this.#plan
    // What the watch has shown may be older than our own last write.
    const service = await getService(cluster, name)
    if (service === undefined)
      return this.#loop.say(`service ${name} has been deleted; if it comes back it is exchanged again`)
    const state = exchangeState(service)
    const labelled = service.metadata?.labels?.[EXCHANGE_KEY]
    if (state.kind === 'kt-connect' || (labelled !== undefined && labelled !== token))
      return this.#loop.lose(
        `service '${name}' has been taken over by ${describeOwner(ownerOf(service.metadata?.annotations))}`
      )
    if (!this.#hasShadow) {
      if (state.kind !== 'exchanged') return
      await restore(cluster, name, token)
      const who = this.#options.alone ? `nobody serves service ${name}` : `the original pods of service ${name} serve`
      return this.#loop.say(`the shadow pod is gone: ${who} until a new one is ready`)
    }
    const same = service.metadata?.uid === this.#uid
    // Our own giving back leaves no trace either; somebody else's undo comes while a shadow is there and nothing was said.
    if (same && labelled === undefined && this.#loop.said === '')
      return this.#loop.lose(`the exchange of service '${name}' has been undone by somebody else`)
    await this.#heal(service)
    if (state.kind === 'exchanged' && Object.keys(service.spec?.selector ?? {}).length === this.#width)
      return this.#loop.say('')
    if (!this.#loop.mayHeal())
      return this.#loop.lose(`somebody sets the selector of service '${name}' back again and again`)
    await this.#divert()
    this.#loop.sayMended(`the selector of service ${name} was changed by somebody else: exchanged again`)
  }

  /** Keys of a selector that is diverted as it should be. */
  get #width(): number {
    return this.#plan.mode === 'replace' ? 1 : Object.keys(this.#plan.selector).length + 1
  }

  async #heal(service: Service): Promise<void> {
    const wanted = originalSelector(service)
    if (Object.keys(wanted).length === 0 || sameSelector(wanted, this.#plan.selector)) return
    await followSelector(this.#options.cluster, this.#plan, wanted)
    this.#plan.selector = wanted
  }
}
