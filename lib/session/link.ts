// The laptop's end of the line to the agent: carrier, handshake, mux, tunnel; dialled again when it breaks.
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../errors.ts'
import { openCarrier } from '../kube/carrier.ts'
import type { Cluster } from '../kube/client.ts'
import { MuxSession, type MuxSessionOptions } from '../mux/session.ts'
import { carrierTrace } from '../trace.ts'
import type { AgentFacts } from '../tunnel/facts.ts'
import { clientHandshake, HandshakeError } from '../tunnel/handshake.ts'
import { Tunnel, TunnelError } from '../tunnel/tunnel.ts'
import type { ShadowKeeper } from './shadow-keeper.ts'

/** Between attempts: doubles from the first to the last, with jitter. */
const RETRY_FIRST_MS = 200
const RETRY_LAST_MS = 5_000
/** The agent's process may need this long to listen after its container has started. */
const FIRST_DIAL_LIMIT_MS = 15_000

export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'closed'

export interface LinkOptions {
  cluster: Cluster
  /** PEM, Ed25519: it never leaves this process. */
  privateKey: string
  keeper: ShadowKeeper
  /** Called when the connection was lost, and when it is there again. */
  onState(state: LinkState, detail: string): void
  /** Streams that the agent opens (`Inbound`); without it nothing may come in. */
  onStream?: MuxSessionOptions['onStream']
}

/** One agent, reached again and again. Streams of a lost carrier are reset, new ones wait for nobody: there is a tunnel or none. */
export class AgentLink {
  readonly #options: LinkOptions
  readonly #stop = new AbortController()
  #session: MuxSession | undefined
  #tunnel: Tunnel | undefined
  #running: Promise<void> | undefined
  state: LinkState = 'connecting'
  /** When `state` began, milliseconds since the epoch. */
  since: number = Date.now()

  constructor(options: LinkOptions) {
    this.#options = options
  }

  get tunnel(): Tunnel | undefined {
    return this.#tunnel
  }
  get session(): MuxSession | undefined {
    return this.#session
  }

  /** What the agent knows about the cluster from inside its pod. */
  facts(): Promise<AgentFacts> {
    return this.#connected().facts()
  }

  /** Have a DNS message answered by the cluster's DNS; rejects with a TunnelError while there is no connection. */
  resolve(message: Uint8Array): Promise<Uint8Array> {
    return this.#connected().resolve(message)
  }

  #connected(): Tunnel {
    if (this.#tunnel === undefined) throw new TunnelError('closed', 'no connection to the agent at the moment')
    return this.#tunnel
  }

  /** The first connection; rejects when the agent cannot be reached. Then it is kept up until `close`. */
  async connect(): Promise<void> {
    const deadline = performance.now() + FIRST_DIAL_LIMIT_MS
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1000)) {
      try {
        await this.#dial()
        this.#running = this.#keep()
        return
      } catch (error) {
        if (this.#stop.signal.aborted || performance.now() > deadline || !retriable(error)) throw error
        await sleep(waitMs, undefined, { signal: this.#stop.signal })
      }
    }
  }

  async close(): Promise<void> {
    this.#enter('closed', 'closed by us')
    this.#stop.abort()
    this.#tunnel = undefined
    await this.#session?.close()
    await this.#running
  }

  async #dial(): Promise<void> {
    const { cluster, privateKey, keeper, onStream } = this.#options
    const signal = this.#stop.signal
    const pod = await keeper.pod(signal)
    const carrier: Duplex = await openCarrier(cluster, { pod, port: keeper.port, signal })
    await clientHandshake(carrier, { privateKey }).catch((error: unknown) => Promise.reject(explained(error, carrier)))
    const session = new MuxSession(carrier, {
      role: 'client',
      onStream: onStream ?? (stream => stream.reset('refused')) // nothing is exposed: nothing may come in
    })
    this.#session = session
    this.#tunnel = new Tunnel(session)
    this.#enter('connected', `carrier to pod ${pod}`)
  }

  async #keep(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const end = await this.#session!.closed
      this.#tunnel = undefined
      if (this.#stop.signal.aborted) return
      this.#enter('reconnecting', end.error?.message ?? end.code)
      await this.#redial()
    }
  }

  async #redial(): Promise<void> {
    const signal = this.#stop.signal
    for (let waitMs = RETRY_FIRST_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, RETRY_LAST_MS)) {
      try {
        await this.#dial()
        return
      } catch (error) {
        if (carrierTrace.hasSubscribers) carrierTrace.publish({ event: 'retry', detail: String(error) })
        if (error instanceof KtError && error.code === 'KT_NOT_FOUND') await this.#options.keeper.lost()
        await sleep(waitMs * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => {})
      }
    }
  }

  #enter(state: LinkState, detail: string): void {
    if (this.state === state || this.state === 'closed') return
    const again = this.state === 'reconnecting'
    this.state = state
    this.since = Date.now()
    if (carrierTrace.hasSubscribers) carrierTrace.publish({ event: state, detail })
    if (state === 'reconnecting' || again) this.#options.onState(state, detail)
  }
}

/** A handshake that failed because the carrier broke is the carrier's failure; one that was refused is a matter of keys or versions. */
function explained(error: unknown, carrier: Duplex): unknown {
  if (!(error instanceof HandshakeError)) return error
  if (error.reason === 'closed' || error.reason === 'timeout') {
    return (
      carrier.errored ?? new KtError('KT_CARRIER_LOST', `the agent did not answer: ${error.message}`, { cause: error })
    )
  }
  return new KtError('KT_AGENT', error.message, { cause: error })
}

/** The agent may not listen yet, or the way may have hiccuped; a refusal by the API server stays one. */
function retriable(error: unknown): boolean {
  return !(error instanceof KtError) || error.code === 'KT_CARRIER_LOST' || error.code === 'KT_CARRIER_REFUSED'
}
