// A meshed service kept led to its routers: watched, healed when somebody's manifest changes it back, given back while no router
// is ready. Every participant does so; conditional writes make it one thing.
import { KtError } from '../../errors.ts'
import type { Cluster, Pod, Service } from '../../kube/api/client.ts'
import { PODS, SERVICES } from '../../kube/api/resource.ts'
import { watchObjects } from '../../kube/api/watch.ts'
import { ensureRouter, redressRouters, routerTrouble } from '../../kube/mesh/router.ts'
import type { RouterSpec } from '../../kube/mesh/router-manifest.ts'
import { leadsToRouters, leadToOriginals, leadToRouters } from '../../kube/mesh/service.ts'
import { readMesh } from '../../kube/mesh/store.ts'
import { type Identity, isSame, type Mesh } from '../../kube/mesh/table.ts'
import { MESH_KEY } from '../../kube/names.ts'
import { followSelector, getService, settled } from '../../kube/traffic/exchange.ts'
import { exchangeState, originalSelector, sameSelector } from '../../kube/traffic/exchange-plan.ts'
import { isReady } from '../../kube/traffic/ready-pods.ts'
import type { Report } from '../report.ts'
import { Reconciler } from './reconciler.ts'

/** In a minute; routers that come and go count, too. */
const HEALS_MAX = 10
/** From the creation of the routers to one that is Ready, ms, where the user has not said otherwise. */
const READY_LIMIT_MS = 60_000

export interface MeshDiversionOptions {
  cluster: Cluster
  mesh: Mesh
  me: Identity
  router: RouterSpec
  report: Report
  signal: AbortSignal
}

export class MeshDiversion {
  readonly #options: MeshDiversionOptions
  readonly #routers = new Map<string, boolean>()
  readonly #loop: Reconciler
  readonly #ready = Promise.withResolvers<void>()
  #selector: Record<string, string>

  constructor(options: MeshDiversionOptions) {
    this.#options = options
    this.#selector = options.router.selector
    const { mesh, report } = options
    const reconcile = () => this.#reconcile()
    this.#loop = new Reconciler({ service: mesh.service, report, healsMax: HEALS_MAX, reconcile })
  }

  get service(): string {
    return this.#options.mesh.service
  }

  /** Resolves when we take part no more: taken over, or undone by somebody else. */
  get lost(): Promise<Error> {
    return this.#loop.lost
  }

  /** The service's own selector, as it is by now. */
  get selector(): Record<string, string> {
    return this.#selector
  }

  /** Wait for a router that is Ready. Throws KT_SHADOW_TIMEOUT with what keeps them. */
  async ready(): Promise<void> {
    const { cluster, mesh, signal } = this.#options
    await watchObjects<Pod>(cluster.api, {
      resource: PODS,
      namespace: cluster.namespace,
      query: { labelSelector: `${MESH_KEY}=${mesh.token}` },
      signal,
      onObject: (key, pod) => {
        if (pod === undefined) this.#routers.delete(key)
        else this.#routers.set(key, isReady(pod))
        if (this.#hasRouter) this.#ready.resolve()
        this.look()
      }
    })
    const limitMs = cluster.pods.readyLimitMs ?? READY_LIMIT_MS
    const late = setTimeout(() => void this.#late(limitMs), limitMs)
    signal.addEventListener('abort', () => this.#ready.reject(signal.reason as Error), { once: true })
    await this.#ready.promise.finally(() => clearTimeout(late))
  }

  /** Lead the service to the routers, and keep it so. Resolves when every node has heard of it: who connects from then on meets a router. */
  async begin(): Promise<void> {
    const { cluster, mesh, signal } = this.#options
    const before = await getService(cluster, mesh.service)
    await leadToRouters(cluster, mesh)
    if (before !== undefined && !leadsToRouters(before, mesh)) await settled()
    this.#loop.begin()
    await watchObjects<Service>(cluster.api, {
      resource: SERVICES,
      namespace: cluster.namespace,
      query: { fieldSelector: `metadata.name=${mesh.service}` },
      signal,
      onObject: () => this.look()
    })
  }

  /** Stop keeping it; resolves when nothing is under way any more. */
  async end(): Promise<void> {
    await this.#loop.end()
  }

  /** Something may have changed that no watch tells of. */
  look(): void {
    this.#loop.look()
  }

  async #reconcile(): Promise<void> {
    const { cluster, mesh, me, router } = this.#options
    const { service: name, token } = mesh
    const stored = await readMesh(cluster, name)
    if (stored?.mesh.token !== token || stored.mesh.closing)
      return this.#loop.lose(`the mesh of service '${name}' has been undone by somebody else`)
    if (!stored.mesh.participants.some(other => isSame(other, me)))
      return this.#loop.lose(`version '${me.version}' of service '${name}' has been taken over by somebody else`)
    const service = await getService(cluster, name)
    if (service === undefined)
      return this.#loop.say(`service ${name} has been deleted; if it comes back it is meshed again`)
    const { kind } = exchangeState(service)
    if (kind === 'exchanged' || kind === 'kt-connect')
      return this.#loop.lose(`service '${name}' has been exchanged by somebody else`)
    if (!this.#hasRouter) {
      await leadToOriginals(cluster, mesh)
      this.#loop.say(`no router is ready: the original pods of service ${name} serve until there is one`)
      return await ensureRouter(cluster, service, { ...router, mesh, selector: this.#selector })
    }
    await this.#follow(originalSelector(service))
    if (leadsToRouters(service, mesh)) return this.#loop.say('')
    if (!this.#loop.mayHeal())
      return this.#loop.lose(`somebody sets the selector of service '${name}' back again and again`)
    await leadToRouters(cluster, mesh)
    // One of us who gives it back takes the label away, too.
    const ours = service.metadata?.labels?.[MESH_KEY] === undefined
    this.#loop.sayMended(ours ? '' : `the selector of service ${name} was changed by somebody else: meshed again`)
  }

  async #follow(wanted: Record<string, string>): Promise<void> {
    const before = this.#selector
    if (Object.keys(wanted).length === 0 || sameSelector(wanted, before)) return
    const { cluster, mesh } = this.#options
    await redressRouters(cluster, mesh, before, wanted)
    await followSelector(cluster, { service: mesh.service, selector: before }, wanted)
    this.#selector = wanted
  }

  async #late(limitMs: number): Promise<void> {
    const { cluster, mesh } = this.#options
    const why = await routerTrouble(cluster, mesh).catch((error: unknown) => (error as Error).message)
    const text = `the router of service ${mesh.service} was not ready after ${Math.round(limitMs / 1000)} s: ${why}`
    this.#ready.reject(new KtError('KT_SHADOW_TIMEOUT', text, { hint: 'kubectl describe deployment tells more' }))
  }

  get #hasRouter(): boolean {
    return [...this.#routers.values()].some(Boolean)
  }
}
