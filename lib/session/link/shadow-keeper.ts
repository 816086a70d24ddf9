// There is always one shadow pod: made when it is first asked for, and again when the cluster has lost it.

import { statusOf } from '../../kube/api/api-error.ts'
import type { Cluster, Pod } from '../../kube/api/client.ts'
import { PODS } from '../../kube/api/resource.ts'
import { agentSource, sshDoorSource } from '../../kube/shadow/agent-source.ts'
import { createShadow, removeEnded, type Shadow } from '../../kube/shadow/shadow.ts'
import type { Exposure, SshDoor } from '../../kube/shadow/shadow-manifest.ts'
import { AGENT_PORT, SSH_PORT } from '../../tunnel/request.ts'
import type { Report } from '../report.ts'

/** The cluster is asked about the pod while there is no tunnel: it must not be waited for longer than for a carrier, ms. */
const LOOK_LIMIT_MS = 5_000
/** kt-connect's `clean` takes for abandoned what has not been heard of for five minutes. */
const HEARTBEAT_MS = 60_000

export interface ShadowKeeperOptions {
  image: string
  /** PEM of the session's public key: all that the cluster learns of it. */
  publicKey: string
  report: Report
  /** Ports at which others in the cluster come in; without it, the shadow of `kt up`. */
  exposure?: Exposure
  /** An ssh door, and who may come in; without it, none. */
  ssh?: Omit<SshDoor, 'bundle'>
  /** A new shadow is Ready, the first one and each one that takes its place; what it does is waited for. */
  onShadow?(shadow: Shadow): void | Promise<void>
}

export class ShadowKeeper {
  readonly #cluster: Cluster
  readonly #options: ShadowKeeperOptions
  #shadow: Promise<Shadow> | undefined
  #heart: NodeJS.Timeout | undefined
  /** Name of the pod in use, or empty. */
  podName = ''

  constructor(cluster: Cluster, options: ShadowKeeperOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  /** Where its agent listens for the session, on loopback. */
  get port(): number {
    return this.#options.exposure?.agentPorts.session ?? AGENT_PORT
  }

  /** Where its ssh door listens, if it has one. */
  get sshPort(): number {
    return this.#options.exposure?.agentPorts.ssh ?? SSH_PORT
  }

  /** The shadow's pod, ready to be dialled. */
  async pod(signal: AbortSignal): Promise<string> {
    this.#shadow ??= this.#create(signal)
    try {
      this.podName = (await this.#shadow).name
      return this.podName
    } catch (error) {
      this.#shadow = undefined
      throw error
    }
  }

  /** Does the cluster still have the pod, and will it keep it? What cannot be known counts as yes. */
  async isUsable(): Promise<boolean> {
    if (this.podName === '') return true
    const { api, namespace } = this.#cluster
    try {
      const pod = await api.call<Pod>(
        { ...PODS, verb: 'get', namespace, name: this.podName },
        AbortSignal.timeout(LOOK_LIMIT_MS)
      )
      const ended = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded'
      return !ended && pod.metadata?.deletionTimestamp === undefined
    } catch (error) {
      return statusOf(error) !== 404
    }
  }

  /** The pod is of no use any more: the next `pod` makes a new one. What is left of the old one is removed without waiting for it. */
  async lost(): Promise<void> {
    const shadow = await this.#shadow?.catch(() => undefined)
    this.#shadow = undefined
    clearInterval(this.#heart)
    if (shadow === undefined) return
    this.#options.report({ event: 'warning', text: `shadow pod ${shadow.name} is gone: a new one is made` })
    await shadow.remove({ wait: false }).catch(() => {}) // it belongs to a cluster that may not answer; `kt clean` finds it
  }

  async remove(): Promise<void> {
    const shadow = await this.#shadow?.catch(() => undefined)
    this.#shadow = undefined
    clearInterval(this.#heart)
    await shadow?.remove()
  }

  async #create(signal: AbortSignal): Promise<Shadow> {
    const { image, publicKey, report, exposure, ssh, onShadow } = this.#options
    void removeEnded(this.#cluster).catch(() => {}) // a courtesy: whoever may not do it goes on without
    const shadow = await createShadow(this.#cluster, {
      image,
      port: this.port,
      agent: await agentSource(),
      publicKey,
      onProgress: text => report({ event: 'progress', text }),
      signal,
      ...(exposure === undefined ? {} : { exposure }),
      ...(ssh === undefined ? {} : { ssh: { ...ssh, bundle: await sshDoorSource() } })
    })
    clearInterval(this.#heart)
    // Without the right to patch pods it only looks abandoned to others; the agent itself knows better.
    this.#heart = setInterval(() => void shadow.beat().catch(() => {}), HEARTBEAT_MS).unref()
    try {
      await onShadow?.(shadow)
    } catch (error) {
      clearInterval(this.#heart)
      await shadow.remove({ wait: false }).catch(() => {}) // the first error is the one to tell
      throw error
    }
    return shadow
  }
}
