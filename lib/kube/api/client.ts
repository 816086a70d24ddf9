// A kubeconfig context as something one can talk to. The only file that imports @kubernetes/client-node: its types always,
// its code only for the old auth-providers, because importing it takes 250–950 ms and 70–90 MB.
import type {
  KubeConfig,
  V1ConfigMap,
  V1Deployment,
  V1EndpointSlice,
  V1Namespace,
  V1Node,
  V1Pod,
  V1Service,
  V1ServiceCIDR
} from '@kubernetes/client-node'
import { KtError } from '../../errors.ts'
import { JumpHost } from '../../ssh/jump.ts'
import type { PodWishes } from '../shadow/shadow-manifest.ts'
import { Api } from './api.ts'
import { statusOf } from './api-error.ts'
import { Credentials, type Identity, type LegacyProvider } from './credentials.ts'
import { dialBulk, type Target } from './dial.ts'
import { type Kubeconfig, readKubeconfig } from './kubeconfig.ts'
import { proxyFor } from './proxy.ts'
import { NAMESPACES } from './resource.ts'

/** An object as it comes over the wire: dates are strings. */
export type Wire<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Wire<T[K]> } : T
export type Pod = Wire<V1Pod>
export type ConfigMap = Wire<V1ConfigMap>
export type Service = Wire<V1Service>
export type Deployment = Wire<V1Deployment>
export type EndpointSlice = Wire<V1EndpointSlice>
export type Namespace = Wire<V1Namespace>
export type Node = Wire<V1Node>
export type ServiceCidr = Wire<V1ServiceCIDR>

/** A port-forward alone, or an ssh connection in it, which ends in the pod. */
export const CARRIER_KINDS = ['port-forward', 'ssh'] as const
export type CarrierKind = (typeof CARRIER_KINDS)[number]

/** One cluster, as one user, with one default namespace. */
export interface Cluster {
  readonly contextName: string
  readonly server: URL
  /** The proxy, or jump host, on the way to the server, if any. */
  readonly proxy: URL | undefined
  /** Where the jump host was reached; empty without one. */
  readonly jumpAddresses: readonly string[]
  readonly namespace: string
  /** Name of the user entry in the kubeconfig. */
  readonly user: string
  readonly api: Api
  readonly credentials: Credentials
  /** What is wanted of pods that are made there. */
  readonly pods: PodWishes
  /** A port-forward that is older is replaced, ms; undefined: whoever holds it knows best. */
  readonly carrierMaxAgeMs: number | undefined
  /** What a carrier is. */
  readonly carrier: CarrierKind
  /** A fresh connection to the API server, for an upgrade. A chunk is valid during its 'data' event only. */
  dial(identity: Identity, signal?: AbortSignal): ReturnType<typeof dialBulk>
  /** Close idle connections; running requests end as they would. */
  close(): void
}

export interface LoadOptions {
  kubeconfig?: string | undefined
  context?: string | undefined
  namespace?: string | undefined
  pod?: PodWishes | undefined
  carrierMaxAgeMs?: number | undefined
  carrier?: CarrierKind | undefined
  /** A jump host from which the API server is reached, in place of a proxy: `ssh://me@bastion`. */
  via?: string | undefined
}

/** Read the kubeconfig and make sure that the API server answers, knows us, and has the namespace. Throws KtError. */
export async function loadCluster(options: LoadOptions, signal?: AbortSignal): Promise<Cluster> {
  const config = readKubeconfig(options)
  const server = new URL(config.cluster.server)
  const jump = options.via === undefined ? undefined : await JumpHost.from(options.via)
  const proxy = jump?.url ?? proxyFor(server, config.cluster['proxy-url'])
  const target: Target = { server, proxy, jump, cluster: config.cluster }
  const credentials = new Credentials(config, legacyProvider(config))
  const api = new Api(target, credentials, config.userName)
  const cluster: Cluster = {
    contextName: config.contextName,
    server,
    proxy: target.proxy,
    get jumpAddresses() {
      return jump?.addresses ?? []
    },
    namespace: options.namespace || config.namespace || 'default',
    user: config.userName,
    api,
    credentials,
    pods: options.pod ?? {},
    carrierMaxAgeMs: options.carrierMaxAgeMs,
    carrier: options.carrier ?? 'port-forward',
    dial: (identity, stop) => dialBulk(target, identity, stop),
    close: () => {
      api.close()
      jump?.close()
    }
  }
  try {
    await checkNamespace(cluster, signal)
  } catch (error) {
    cluster.close()
    throw error
  }
  return cluster
}

/** Also the first word with the server: unreachable and unknown credentials show here. */
async function checkNamespace({ api, namespace, contextName }: Cluster, signal?: AbortSignal): Promise<void> {
  try {
    await api.call<Namespace>({ ...NAMESPACES, verb: 'get', name: namespace }, signal)
  } catch (error) {
    if (statusOf(error) === 403) return // rights inside one namespace need not include seeing it
    if (statusOf(error) !== 404) throw error
    throw new KtError(
      'KT_NOT_FOUND',
      `there is no namespace "${namespace}" in the cluster of context "${contextName}"`,
      {
        hint: 'kubectl get namespaces lists them; choose one with --namespace',
        cause: error
      }
    )
  }
}

/** oidc, gcp and azure entries: deprecated, rare, and spoken only by the API client, which keeps their tokens until they expire. */
function legacyProvider(config: Kubeconfig): LegacyProvider {
  const { cluster, clusterName, user, userName } = config
  let kept: KubeConfig | undefined
  return async anew => {
    if (kept === undefined || anew) {
      const client = await import('@kubernetes/client-node')
      kept = new client.KubeConfig()
      kept.loadFromClusterAndUser(
        { name: clusterName, server: cluster.server, skipTLSVerify: false },
        { name: userName, authProvider: user['auth-provider'] }
      )
    }
    const options: { headers?: Record<string, string> } = {}
    try {
      await kept.applyToHTTPSOptions(options)
    } catch (cause) {
      const name = user['auth-provider']?.name
      throw new KtError(
        'KT_UNAUTHORIZED',
        `the ${name} login of user "${userName}" failed: ${(cause as Error).message}`,
        {
          hint: 'log in again; kubectl get pods must work first',
          cause
        }
      )
    }
    const authorization = options.headers?.Authorization
    return { headers: authorization === undefined ? {} : { authorization } }
  }
}
