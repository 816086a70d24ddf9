// Waiting for a shadow: its pod, its events and its port are watched until one of them decides.
import { KtError } from '../../errors.ts'
import type { Cluster, Pod } from '../api/client.ts'
import { EVENTS, PODS } from '../api/resource.ts'
import { type Watched, watchObjects } from '../api/watch.ts'
import { speaks } from './shadow-probe.ts'
import { judge, type Verdict } from './shadow-verdict.ts'

/** From the creation to a running container, with the image present: 1 to 2 s on a good day. */
const READY_LIMIT_MS = 60_000
/** When the image has to be pulled first. */
const PULL_LIMIT_MS = 5 * 60_000
/** How often the limit is looked at. */
const TICK_MS = 250

export interface WaitOptions {
  /** Only for hints. */
  image: string
  /** What is being waited for, one line, whenever it changes. */
  onProgress?(text: string): void
  /** Ends the wait; what was made until then is removed. */
  signal?: AbortSignal
  /** Where the agent listens, and speaks first: with it the shadow is ready at its first byte, which may be before the pod's status says that it runs, or after. */
  port?: number
  /** Wait for the pod's condition Ready as well, after which Services send to it. */
  ready?: boolean
  /** In place of one minute (five while an image is pulled). */
  readyLimitMs?: number
}

/** Resolves with the pod once its port has spoken, or, without a port, once its container runs; with `ready`, once it is Ready besides. Rejects with KT_SHADOW_FAILED, KT_SHADOW_TIMEOUT, or why the pod cannot be watched. */
export async function untilRunning(cluster: Cluster, name: string, uid: string, options: WaitOptions): Promise<Pod> {
  const wait = new Wait(cluster, name, uid, options)
  try {
    return await wait.decided
  } finally {
    wait.stop()
  }
}

class Wait {
  readonly #cluster: Cluster
  readonly #name: string
  readonly #options: WaitOptions
  readonly #stop = new AbortController()
  readonly #events = new Map<string, string>()
  readonly #decision = Promise.withResolvers<Pod>()
  readonly #clock: NodeJS.Timeout
  readonly #began = performance.now()
  #pod: Pod | undefined
  #last: Verdict = { state: 'waiting', text: 'Pending' }
  #said = ''
  #probing: boolean = false
  #statusDecides: boolean

  constructor(cluster: Cluster, name: string, uid: string, options: WaitOptions) {
    this.#cluster = cluster
    this.#name = name
    this.#options = options
    this.#statusDecides = options.port === undefined
    this.#clock = setInterval(() => this.#tick(), TICK_MS)
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#onAbort()
    watchPod(cluster, name, this.#stop.signal, pod => {
      this.#pod = pod?.metadata?.uid === uid ? pod : undefined
      this.#look()
    }).catch(this.#decision.reject)
    watchEvents(cluster, uid, this.#stop.signal, (reason, message) => {
      this.#events.set(reason, message)
      if (this.#pod !== undefined) this.#look()
    })
  }

  get decided(): Promise<Pod> {
    return this.#decision.promise
  }

  stop(): void {
    clearInterval(this.#clock)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#stop.abort()
  }

  readonly #onAbort = () => this.#decision.reject(this.#options.signal!.reason)

  #look(): void {
    this.#last = judge(this.#pod, this.#events)
    const { state } = this.#last
    if (state === 'never') {
      this.#fail('KT_SHADOW_FAILED', 'cannot run', this.#last.text)
      return
    }
    if (state === 'running' && this.#statusDecides) this.#decide()
    if (state === 'waiting' && this.#last.text !== this.#said) {
      this.#said = this.#last.text
      this.#options.onProgress?.(this.#said)
    }
    if (this.#pod?.spec?.nodeName && this.#options.port !== undefined) void this.#probe(this.#options.port)
  }

  async #probe(port: number): Promise<void> {
    if (this.#probing) return
    this.#probing = true
    const spoken = await speaks(this.#cluster, this.#name, port, this.#stop.signal)
    if (this.#stop.signal.aborted || this.#pod === undefined) return
    if (spoken) this.#decide()
    this.#statusDecides = true // we may not ask the port, or it has spoken and the pod is not Ready yet
    this.#look()
  }

  #decide(): void {
    const ready = this.#pod!.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
    if (ready || !this.#options.ready) this.#decision.resolve(this.#pod!)
  }

  #tick(): void {
    const pulling = this.#events.has('Pulling') && !this.#events.has('Pulled')
    const limit = this.#options.readyLimitMs ?? (pulling ? PULL_LIMIT_MS : READY_LIMIT_MS)
    if (performance.now() - this.#began < limit) return
    this.#fail(
      'KT_SHADOW_TIMEOUT',
      `was not running after ${Math.round(limit / 1000)} s`,
      this.#last.state === 'waiting'
        ? this.#last.text
        : `its container runs, but nobody answers at port ${this.#options.port}`
    )
  }

  #fail(code: 'KT_SHADOW_FAILED' | 'KT_SHADOW_TIMEOUT', what: string, text: string): void {
    this.#decision.reject(
      new KtError(code, `the shadow pod ${this.#name} ${what}: ${text}`, { hint: hintFor(text, this.#options.image) })
    )
  }
}

/** Report one pod now and after each change; `undefined` is gone. Rejects when it may not be listed. */
export function watchPod(
  { api, namespace }: Cluster,
  name: string,
  signal: AbortSignal,
  onPod: (pod: Pod | undefined) => void
): Promise<void> {
  let seen = false
  return watchObjects<Pod>(api, {
    resource: PODS,
    namespace,
    query: { fieldSelector: `metadata.name=${name}` },
    signal,
    onObject: (_key, pod) => {
      seen = true
      onPod(pod)
    },
    onSynced: () => {
      if (!seen) onPod(undefined)
    }
  })
}

interface ClusterEvent extends Watched {
  reason?: string
  message?: string
}

/** Events only explain: without the right to see them the pod's status has to do. */
function watchEvents(
  { api, namespace }: Cluster,
  podUid: string,
  signal: AbortSignal,
  onEvent: (reason: string, message: string) => void
): void {
  watchObjects<ClusterEvent>(api, {
    resource: EVENTS,
    namespace,
    query: { fieldSelector: `involvedObject.uid=${podUid}` },
    signal,
    onObject: (_key, event) => {
      // "Error: ImagePullBackOff" only repeats the status, and would hide the registry's words under the same reason.
      if (event?.reason !== undefined && !/^Error: \w+$/.test(event.message ?? ''))
        onEvent(event.reason, event.message ?? '')
    }
  }).catch(() => {})
}

function hintFor(text: string, image: string): string {
  if (/image|pull/i.test(text))
    return `can the cluster's nodes pull ${image}? another Node image can be given with --image`
  if (/Unschedulable|FailedScheduling|nodes are available/.test(text))
    return 'the cluster has no node for a pod of 50m CPU and 64Mi memory'
  return ''
}
