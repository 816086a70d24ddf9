// An ephemeral container in somebody's pod, with the agent in it. It can have no volume and no port of its own, the agent
// therefore travels in its environment; and nobody can ever remove it, so it ends by itself.
import { brotliCompressSync } from 'node:zlib'
import { KtError } from '../../errors.ts'
import type { ExposeConfig } from '../../tunnel/expose.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Pod } from '../api/client.ts'
import { PODS } from '../api/resource.ts'
import { CONTROL_LABEL, randomSuffix } from '../names.ts'
import type { CarriedPort } from '../traffic/ports.ts'
import { watchPod } from './shadow-wait.ts'

type Container = NonNullable<NonNullable<Pod['spec']>['ephemeralContainers']>[number]

const PREFIX = 'kt-exchange-'
/** Each leaves some 20 kB in its pod, and an object may have 1.5 MiB (etcd). */
const MAX_LEFT = 16
/** From here on anybody may listen; below, the pod needs a sysctl, which cannot be set once it runs. */
const FIRST_UNPRIVILEGED_PORT = 1024
const PORT_START_SYSCTL = 'net.ipv4.ip_unprivileged_port_start'
/** Any user but root: a pod may forbid it. */
const USER_ID = 1000
const HEAP_MAX_MB = 96
/** The image is there or is pulled; nothing else takes time. */
const START_LIMIT_MS = 120_000
/** Somebody else may change the pod at the same moment, its kubelet most of all. */
const ATTEMPTS = 8

/** Node runs a text that is too long for a command line from the environment, where one value may have 128 KiB (MAX_ARG_STRLEN). */
const LOADER = "eval(require('node:zlib').brotliDecompressSync(Buffer.from(process.env.KT_AGENT,'base64')).toString())"

export interface EphemeralSpec {
  image: string
  /** The agent's bundle, CommonJS. */
  agent: string
  /** PEM. */
  publicKey: string
  config: ExposeConfig
  /** Where the agent listens for its session, on the pod's loopback. */
  sessionPort: number
  /** Without its laptop the agent keeps the port for so long. */
  orphanSeconds: number
  imagePullPolicy?: Container['imagePullPolicy'] | undefined
}

/** Throws KtError for a pod in which a container of ours could not listen at `ports`, with the reason and what to use. */
export function demandRoom(pod: Pod, ports: readonly CarriedPort[]): void {
  const name = pod.metadata?.name ?? ''
  const no = (
    reason: string,
    hint = 'kt exchange SERVICE --mode selector leads the service here, whatever its pods are'
  ) => new KtError('KT_USAGE', `--mode ephemeral cannot work in pod ${name}: ${reason}`, { hint })
  if (pod.metadata?.labels?.[CONTROL_LABEL] === 'kt') throw no("it is one of kt's own")
  if (pod.metadata?.deletionTimestamp !== undefined || pod.status?.phase !== 'Running') throw no('it does not run')
  if (pod.spec?.hostNetwork) throw no('it shares the network of its node')
  const start = pod.spec?.securityContext?.sysctls?.find(({ name }) => name === PORT_START_SYSCTL)?.value
  const low = ports.find(({ port }) => port < Number(start ?? FIRST_UNPRIVILEGED_PORT))
  if (low !== undefined) throw no(`a container without privileges cannot listen at port ${low.port}`)
  if ((pod.spec?.ephemeralContainers ?? []).filter(({ name }) => name.startsWith(PREFIX)).length >= MAX_LEFT)
    throw no(
      `it holds ${MAX_LEFT} ended containers of kt, which only go with it`,
      'delete the pod: its workload makes a new one'
    )
}

/** The error for a port at which a program of the pod listens already. */
export function portIsTaken(pod: string, port: number): KtError {
  return new KtError(
    'KT_USAGE',
    `--mode ephemeral cannot work in pod ${pod}: a program of the pod listens at port ${port}`,
    {
      hint: 'redirecting it needs NET_ADMIN, which kt never asks for; kt exchange SERVICE --mode selector leads the service here'
    }
  )
}

/** Passes Pod Security `restricted`. */
export function ephemeralContainer(spec: EphemeralSpec): Container {
  const agent = brotliCompressSync(spec.agent).toString('base64')
  const env = {
    KT_AGENT: agent,
    KT_PUBLIC_KEY: spec.publicKey,
    KT_EXPOSE: JSON.stringify(spec.config),
    KT_LISTEN: String(spec.sessionPort),
    KT_ORPHAN_SECONDS: String(spec.orphanSeconds),
    KT_ONCE: '1'
  }
  return {
    name: `${PREFIX}${randomSuffix()}`,
    image: spec.image,
    imagePullPolicy: spec.imagePullPolicy ?? 'IfNotPresent',
    command: ['node', '--max-semi-space-size=1', `--max-old-space-size=${HEAP_MAX_MB}`, '-e', LOADER],
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' }
    },
    terminationMessagePolicy: 'FallbackToLogsOnError'
  }
}

/** Put it into the pod, beside those that are there. Not to be interrupted. Throws KtError. */
export async function addContainer({ api, namespace }: Cluster, pod: string, container: Container): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { metadata, spec } = await api.call<Pod>({ ...PODS, verb: 'get', namespace, name: pod })
    const ephemeralContainers = [...(spec?.ephemeralContainers ?? []), container]
    const body = { metadata: { resourceVersion: metadata?.resourceVersion }, spec: { ephemeralContainers } }
    try {
      await api.call({ ...PODS, verb: 'patch', namespace, name: pod, subresource: 'ephemeralcontainers', body })
      return
    } catch (error) {
      if (statusOf(error) !== 409 || attempt === ATTEMPTS) throw error
    }
  }
}

/**
 * Resolves when the container runs, with a promise that resolves with the reason when it has ended or its pod has. Rejects
 * with KT_SHADOW_FAILED or KT_SHADOW_TIMEOUT when it does not come to run.
 */
export async function untilContainerRuns(
  cluster: Cluster,
  pod: string,
  container: string,
  signal: AbortSignal
): Promise<{ lost: Promise<Error> }> {
  const running = Promise.withResolvers<void>()
  const lost = Promise.withResolvers<Error>()
  const failed = (text: string): void => {
    const error = new KtError('KT_SHADOW_FAILED', `the container ${container} in pod ${pod} ${text}`)
    running.reject(error)
    lost.resolve(error)
  }
  const late = new KtError(
    'KT_SHADOW_TIMEOUT',
    `the container ${container} in pod ${pod} does not run after ${START_LIMIT_MS / 1000} s`
  )
  const timer = setTimeout(() => running.reject(late), START_LIMIT_MS)
  const aborted = (): void => running.reject(signal.reason as Error)
  signal.addEventListener('abort', aborted, { once: true })
  try {
    await watchPod(cluster, pod, signal, object => {
      const state = object?.status?.ephemeralContainerStatuses?.find(({ name }) => name === container)?.state
      if (object === undefined || object.metadata?.deletionTimestamp !== undefined) failed('has gone with its pod')
      else if (state?.terminated !== undefined) failed(`has ended: ${lastLine(state.terminated.message)}`)
      else if (/ImagePull|InvalidImage|CreateContainer|RunContainer/.test(state?.waiting?.reason ?? ''))
        failed(`cannot run: ${state?.waiting?.reason}: ${lastLine(state?.waiting?.message)}`)
      else if (state?.running !== undefined) running.resolve()
    })
    await running.promise
    return { lost: lost.promise }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
  }
}

function lastLine(text: string | undefined): string {
  return text?.trim().split('\n').at(-1) ?? 'it has said nothing'
}
