// A workload at 0 for as long as an exchange lasts: written down first, watched, and back with its pods ready before the shadow goes.
import type { Cluster } from '../../kube/api/client.ts'
import { SERVICES } from '../../kube/api/resource.ts'
import { type Watched, watchObjects } from '../../kube/api/watch.ts'
import { CONFIG_ANNOTATION, EXCHANGE_KEY, stuntmanName } from '../../kube/names.ts'
import { markPods } from '../../kube/shadow/mark-pods.ts'
import { holdsStuntman } from '../../kube/traffic/exchange.ts'
import {
  type Replicas,
  replicasConfig,
  scaleBack,
  scaleDown,
  untilReady,
  WORKLOADS,
  workloadName
} from '../../kube/traffic/scale.ts'
import type { Report } from '../report.ts'
import { ownProcess } from './exposing.ts'

export interface ScalingOptions {
  cluster: Cluster
  workload: Replicas
  /** Those that lead to its pods; the stuntman of the first one tells whose the exchange is. */
  services: readonly string[]
  /** Of the shadows. */
  token: string
  /** The originals are waited for at the end, at most so long. */
  waitSeconds: number
  report: Report
  signal: AbortSignal
}

export class Scaling {
  readonly #options: ScalingOptions
  #was: Replicas
  #said = 0

  constructor(options: ScalingOptions) {
    this.#options = options
    const { kind, name, replicas } = options.workload
    this.#was = { kind, name, replicas }
  }

  /** To 0; afterwards it is told when somebody else scales it. Not to be interrupted. */
  async down(): Promise<void> {
    const { cluster, signal } = this.#options
    const { kind, name } = this.#was
    await scaleDown(cluster, this.#was, was => this.#remember(was))
    const watching = watchObjects<Watched & { spec?: { replicas?: number } }>(cluster.api, {
      resource: WORKLOADS[kind],
      namespace: cluster.namespace,
      query: { fieldSelector: `metadata.name=${name}` },
      signal,
      onObject: (_, object) => this.#seen(object?.spec?.replicas ?? 0)
    })
    await watching.catch(() => {}) // only to tell; the end looks for itself
  }

  /** As it was, or as somebody else has set it meanwhile, with the pods ready. Does nothing when the exchange is not ours any more. */
  async back(): Promise<void> {
    const { cluster, services, report } = this.#options
    if (!(await holdsStuntman(cluster, stuntmanName(services[0]!), ownProcess()))) return
    const now = await scaleBack(cluster, this.#was)
    const name = workloadName(this.#was)
    if (now === undefined) return report({ event: 'warning', text: `${name} has been deleted: nothing is scaled back` })
    if (now.replicas !== this.#was.replicas)
      report({ event: 'note', text: `${name} stays at ${now.replicas}, as somebody else has set it` })
    const ready = await this.#wait(now.selector, now.replicas)
    if (ready < now.replicas)
      report({
        event: 'warning',
        text: `${ready} of ${now.replicas} pods of ${name} are ready; they are not waited for`
      })
  }

  /** Ctrl-C once more: no longer. */
  async #wait(selector: string, replicas: number): Promise<number> {
    const { cluster, waitSeconds, report } = this.#options
    const impatient = new AbortController()
    const skip = (): void => impatient.abort()
    process.once('SIGINT', skip)
    report({
      event: 'progress',
      text: `waiting for ${replicas} pods of ${workloadName(this.#was)}, ${waitSeconds} s at most; Ctrl-C again: not any longer`
    })
    try {
      const limit = AbortSignal.any([impatient.signal, AbortSignal.timeout(waitSeconds * 1000)])
      return await untilReady(cluster, selector, replicas, limit)
    } finally {
      process.off('SIGINT', skip)
    }
  }

  /** It was scaled between our look and our write. */
  async #remember(was: Replicas): Promise<void> {
    const { cluster, services, token } = this.#options
    const { api, namespace } = cluster
    const marked = (service: string): object => ({ [CONFIG_ANNOTATION]: scaledConfig(service, was) })
    for (const service of services) {
      const body = { metadata: { annotations: marked(service) } }
      await api.call({ ...SERVICES, verb: 'patch', namespace, name: stuntmanName(service), body })
    }
    await markPods(cluster, `${EXCHANGE_KEY}=${token}`, {
      annotations: { [CONFIG_ANNOTATION]: scaledConfig(services[0]!, was) }
    })
    this.#was = was
  }

  #seen(replicas: number): void {
    if (replicas === this.#said || this.#options.signal.aborted) return
    this.#said = replicas
    if (replicas === 0) return
    const text = `${workloadName(this.#was)} was scaled to ${replicas} by somebody else: its pods run beside, callers still come here`
    this.#options.report({ event: 'warning', text })
  }
}

/** `kt-config` of what is made for a service while its workload is at 0. */
export function scaledConfig(service: string, was: Replicas): string {
  return `service=${service},${replicasConfig(was)}`
}
