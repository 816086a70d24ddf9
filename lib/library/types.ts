// What a program sees of the library.
import type { lookup } from 'node:dns'
import type { Agent } from 'node:http'
import type { Agent as SecureAgent } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Dispatcher, fetch } from 'undici'
import type { SessionEvent as KtEvent } from '../session/report.ts'

/** Everything is optional: as kubectl, the current context of `$KUBECONFIG` or `~/.kube/config` is meant. */
export interface ConnectOptions {
  kubeconfig?: string | undefined
  context?: string | undefined
  /** Where the shadow pod is made, and whose services have short names; default: the context's. */
  namespace?: string | undefined
  /** A jump host from which the API server is reached, as with `--via`: `ssh://me@bastion`, or a name of `~/.ssh/config`. */
  via?: string | undefined
  /** As `--carrier`; `ssh`: the tunnel goes inside of an ssh connection with the pod. Default: a port-forward alone. */
  carrier?: 'port-forward' | 'ssh' | undefined
  /** Image of the shadow pod: any with Node 20 or later. */
  image?: string | undefined
  /** Further addresses and ranges that are the cluster's. */
  includeIps?: string[] | undefined
  /** Addresses and ranges that are not. */
  excludeIps?: string[] | undefined
  /** Further domains whose names the cluster's DNS is asked for. */
  includeDomains?: string[] | undefined
  /** Instead of the one that the cluster itself names. */
  clusterDomain?: string | undefined
  /** Gives up connecting. */
  signal?: AbortSignal | undefined
  /** What `kt` would print, as it would be with `--output json`. */
  onEvent?: ((event: KtEvent) => void) | undefined
}

export type { SessionEvent as KtEvent } from '../session/report.ts'

export interface DialOptions {
  signal?: AbortSignal | undefined
}

/**
 * Names and addresses of the cluster are reached through the agent, all others as without kt, so that a local server and the
 * cluster can be asked by the same client. Short names are those of the namespace of the connection.
 */
export interface Connection extends AsyncDisposable {
  readonly context: string
  readonly namespace: string
  /**
   * `tcp`: a byte stream with half-close. `udp`: each write is a datagram and each read gives one (object mode).
   * `target` is `host:port` or `[address]:port`. Rejects with DialError.
   */
  dial(network: 'tcp' | 'udp', target: string, options?: DialOptions): Promise<Duplex>
  /** As the global one, on `dispatcher`. */
  readonly fetch: typeof fetch
  /** For `fetch`, `request` and the others of undici. */
  readonly dispatcher: Dispatcher
  /** For `http.request`. */
  readonly agent: Agent
  /** For `https.request`: TLS is between this process and the target. */
  readonly secureAgent: SecureAgent
  /** Has the shape of `dns.lookup`; addresses of the cluster are of use with `dial`, or beside a running `kt up`. */
  readonly lookup: typeof lookup
  /** Lead a service of the cluster to this computer, as `kt exchange`: every node has heard of it within a second or two. */
  exchange(target: string, options: ExchangeOptions): Promise<Diversion>
  /** Make a service that leads to this computer, as `kt preview`; nodes that have not heard of it yet refuse its callers. */
  preview(name: string, options: PreviewOptions): Promise<Diversion>
  /** The same as leaving the scope of `await using`: everything is undone, and nothing keeps the process alive. */
  close(): Promise<void>
}

export interface PreviewOptions {
  /** `3000:80`, as `--expose` takes it. */
  expose: string
  /** Begin although nobody listens at the local port yet. */
  skipPortChecking?: boolean | undefined
  /** Hand the address of the caller to the local program (PROXY protocol v2). */
  proxyProtocol?: boolean | undefined
}

export interface ExchangeOptions extends PreviewOptions {
  /** Take a service whose owner has been silent for two minutes. */
  takeover?: boolean | undefined
  /** What the local program refuses goes to the original pods. */
  fallback?: boolean | undefined
}

/** An exchange or a preview that works. */
export interface Diversion extends AsyncDisposable {
  /** Resolves with the reason when it has ended by itself: the service was deleted, or somebody else has taken it. */
  readonly lost: Promise<Error>
  /** The same as leaving the scope of `await using`: the service is as it was. */
  close(): Promise<void>
}
