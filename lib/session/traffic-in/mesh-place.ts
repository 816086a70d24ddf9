// One developer's place in a mesh: taken before anything is made for him, given up as the first thing when he leaves.
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../../errors.ts'
import type { Cluster } from '../../kube/api/client.ts'
import { removeRouters, retireRouters, touchRouters } from '../../kube/mesh/router.ts'
import { changeMesh, createMesh, readMesh } from '../../kube/mesh/store.ts'
import { admit, type Mesh, type Participant, placed, without } from '../../kube/mesh/table.ts'
import { removePod } from '../../kube/shadow/remove-pod.ts'
import { isOurs, SILENT_SECONDS } from '../../kube/traffic/owner.ts'
import { findRemains, recoverService } from '../../kube/traffic/recover.ts'
import type { Report } from '../report.ts'
import { lives } from './exposing.ts'

/** A mesh is taken down within a few seconds; after this whoever does it has gone, and we do it for him, ms. */
const CLOSING_LIMIT_MS = 25_000
const CLOSING_LOOK_MS = 500
/** Routers have read new routes after this, ms: measured 150 to 400 after their pod was touched. */
const ROUTES_MS = 700

export interface PlaceOptions {
  cluster: Cluster
  /** As it would begin, with nobody in it. */
  fresh: Mesh
  me: Participant
  /** What goes beside it into the ConfigMap of a new one. */
  files(): Promise<Record<string, string>>
  /** Take the version of somebody who has been silent. */
  takeover: boolean
  report: Report
  signal: AbortSignal
}

export class MeshPlace {
  readonly #options: PlaceOptions
  #me: Participant
  #entered: boolean = false
  /** Set by the last one to leave: what he has to take down. */
  #closed: Mesh | undefined
  #retired: boolean = false

  constructor(options: PlaceOptions) {
    this.#options = options
    this.#me = options.me
  }

  get me(): Participant {
    return this.#me
  }

  /** Begin the mesh or join the one that is there; one that is being taken down is waited for. The mesh as it is then. */
  async take(): Promise<Mesh> {
    const { cluster, fresh, files, report, signal } = this.#options
    const since = performance.now()
    let said = false
    for (;;) {
      signal.throwIfAborted()
      const stored = await readMesh(cluster, fresh.service, signal)
      if (stored === undefined) {
        const mesh = { ...fresh, participants: [this.#me] }
        if (await createMesh(cluster, mesh, await files())) return mesh
      } else if (!stored.mesh.closing) {
        const mesh = await this.#join()
        if (mesh !== undefined && !mesh.closing) return mesh
      } else if (performance.now() - since > CLOSING_LIMIT_MS) {
        await recoverService(cluster, fresh.service, await findRemains(cluster, signal), signal)
      } else {
        if (!said) report({ event: 'progress', text: 'an earlier mesh of this service is being taken down' })
        said = true
        await sleep(CLOSING_LOOK_MS, undefined, { signal })
      }
    }
  }

  async #join(): Promise<Mesh | undefined> {
    const { cluster, fresh, takeover } = this.#options
    const left = new Set<Participant>()
    const mesh = await changeMesh(cluster, fresh.service, ({ mesh, silentSeconds }) => {
      left.clear()
      if (mesh.closing) return undefined
      return admit(mesh, this.#me, other => {
        const dead = isOurs({ ...other, silentSeconds: 0 }) && !lives(other.process)
        const yields = takeover && other.version === this.#me.version && silentSeconds(other) >= SILENT_SECONDS
        if (dead || yields) left.add(other)
        return dead || yields
      })
    })
    for (const { pod } of left) if (pod !== '') await removePod(cluster, pod)
    return mesh
  }

  /** The shadow is there, the first one or one that takes its place: `enter` makes it a route. */
  async shadow(pod: string, address: string): Promise<void> {
    this.#me = { ...this.#me, pod, address }
    if (this.#entered) await this.#write()
  }

  /** Requests come here from now on. Throws KT_CONFLICT when somebody has taken the place. */
  async enter(): Promise<void> {
    this.#entered = true
    await this.#write()
    await sleep(ROUTES_MS)
  }

  async #write(): Promise<void> {
    const { cluster, fresh } = this.#options
    const { version, pod, address } = this.#me
    let there = false
    const mesh = await changeMesh(cluster, fresh.service, ({ mesh }) => {
      const next = placed(mesh, this.#me, pod, address)
      there = next !== undefined
      return next
    })
    if (mesh === undefined || !there)
      throw new KtError('KT_CONFLICT', `version '${version}' of service '${fresh.service}' is not ours any more`)
    await touchRouters(cluster, mesh)
  }

  /**
   * No more requests come here; when nobody else is left, the service has its own pods again. Resolves when every node and
   * router has heard of it. Called again, or without a place: does what is left to do.
   */
  async leave(selector: Record<string, string>): Promise<void> {
    const { cluster } = this.#options
    this.#entered = false
    this.#closed ??= await this.#giveUp()
    if (this.#closed === undefined || this.#retired) return
    await retireRouters(cluster, this.#closed, selector)
    this.#retired = true
  }

  /** The mesh as it was, if nobody else was left in it. */
  async #giveUp(): Promise<Mesh | undefined> {
    const { cluster, fresh } = this.#options
    let before: Mesh | undefined
    const after = await changeMesh(cluster, fresh.service, ({ mesh, silentSeconds }) => {
      const next = without(mesh, this.#me, other => silentSeconds(other) >= SILENT_SECONDS)
      before = next === undefined ? undefined : mesh
      return next
    })
    if (before === undefined || after === undefined) return undefined
    await touchRouters(cluster, after).catch(() => {}) // they read it all the same, only later
    if (after.closing) return before
    await sleep(ROUTES_MS)
    return undefined
  }

  /** The last one takes down what nobody needs any more, and what the service does not lead to any more; one line for each thing. */
  async takeDown(): Promise<string[]> {
    const { cluster, fresh } = this.#options
    const closed = this.#closed
    if (closed === undefined || !this.#retired) return []
    const silent = closed.participants.filter(({ pod }) => pod !== '' && pod !== this.#me.pod)
    const done: string[] = []
    for (const { pod } of silent) done.push(...(await removePod(cluster, pod)))
    done.push(...(await removeRouters(cluster, fresh.service, closed.token)))
    this.#closed = undefined
    return done
  }
}
