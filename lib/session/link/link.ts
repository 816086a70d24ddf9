// The laptop's end of the line to the agent. The line outlives its carriers: one that is lost, or old, is followed by another.
import { randomBytes } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError, type KtErrorCode } from '../../errors.ts'
import type { Cluster } from '../../kube/api/client.ts'
import { openCarrier } from '../../kube/carrier/carrier.ts'
import { MuxSession, type MuxSessionOptions } from '../../mux/session.ts'
import type { AgentFacts } from '../../tunnel/facts.ts'
import { clientHandshake, HandshakeError } from '../../tunnel/handshake.ts'
import { Tunnel, TunnelError } from '../../tunnel/tunnel.ts'
import { hedged } from './hedge.ts'
import { LinkRecord, type LinkState } from './link-record.ts'
import type { ShadowKeeper } from './shadow-keeper.ts'

/** Between attempts: doubles from the first to the last, with jitter. The last is short, so that the tunnel is back soon after its way is. */
const RETRY_FIRST_MS = 200
const RETRY_LAST_MS = 2_500
/** A carrier that takes longer than this to let the agent speak gets company, ms: what it waits for may have been lost with the way. */
const HEDGE_MS = 2_500
const HEDGE_MOST = 4
/** It is given up after this, ms, so that there is always a young one on its way. */
const CARRIER_LIMIT_MS = HEDGE_MS * HEDGE_MOST
/** The rest of the handshake is one round trip, ms. */
const HANDSHAKE_MS = 5_000
/** The agent's process may need this long to listen after its container has started. */
const FIRST_DIAL_LIMIT_MS = 15_000
/** Without a carrier new streams wait this long for the next one, ms; later ones are told at once that there is no way. */
const PATIENCE_MS = 10_000
/** Load balancers end a connection after an hour: a carrier is replaced before that, ms. */
const CARRIER_MAX_AGE_MS = 50 * 60_000
/** When a successor could not be had, another one is tried after this, ms. */
const SUCCESSOR_RETRY_MS = 60_000
/** How often the carrier is looked at, ms: one whose own address is gone is dead, and nobody tells. */
const LOOK_MS = 2_000
/** Looks without a byte, though a PING is answered every 5 s, after which a successor is tried: TCP's next retransmission may be long in coming. */
const SILENT_LOOKS = 3

export interface LinkOptions {
  cluster: Cluster
  /** PEM, Ed25519: it never leaves this process. */
  privateKey: string
  keeper: Pick<ShadowKeeper, 'pod' | 'port' | 'lost'> & Partial<Pick<ShadowKeeper, 'isUsable'>>
  /** Called when the connection was lost, and when it is there again. */
  onState(state: LinkState, detail: string): void
  /** The carrier was found dead, or another one has taken its place before its time: other connections that went the same way may be dead, too. */
  onWayChanged?: (() => void) | undefined
  /** Streams that the agent opens (`Inbound`); without it nothing may come in. */
  onStream?: MuxSessionOptions['onStream'] | undefined
  /** A carrier that is older is replaced, ms. Default: what the cluster's options say, else 50 minutes. */
  carrierMaxAgeMs?: number | undefined
  /** In place of a port-forward alone. */
  open?: ((pod: string, signal: AbortSignal) => Promise<Duplex>) | undefined
}

interface Agent {
  pod: string
  /** Of its process. */
  instance: string
}

/**
 * One agent, reached again and again. Streams go on over the next carrier; when the agent is not the same any more, they are reset.
 */
export class AgentLink {
  readonly #options: LinkOptions
  readonly #stop = new AbortController()
  #session: MuxSession | undefined
  #sessionId: Uint8Array = randomBytes(16)
  /** Whom the session is with. */
  #agent: Agent | undefined
  #tunnel: Tunnel | undefined
  /** Carriers so far: the agent lets none overtake a newer one. */
  #carriers = 0
  /** Somebody is looking for a carrier: one at a time does. */
  #busy: boolean = false
  /** The session has been taken off its last carrier on purpose. */
  #switching: boolean = false
  #localAddress: string | undefined
  #lostAt = 0
  #age: NodeJS.Timeout | undefined
  #look: NodeJS.Timeout | undefined
  #heardBytes = 0
  #silentLooks = 0
  readonly record: LinkRecord

  constructor(options: LinkOptions) {
    this.#options = options
    this.record = new LinkRecord(options.onState)
  }

  /** For new streams; undefined when there is no way and there has been none for a while. */
  get tunnel(): Tunnel | undefined {
    const { state } = this.record
    const waiting = state === 'reconnecting' && performance.now() - this.#lostAt < PATIENCE_MS
    return state === 'connected' || waiting ? this.#tunnel : undefined
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
    const { tunnel } = this
    if (tunnel === undefined) throw new TunnelError('closed', 'no connection to the agent at the moment')
    return tunnel
  }

  /** The first connection; rejects when the agent cannot be reached. Then it is kept up until `close`. */
  async connect(): Promise<void> {
    const deadline = performance.now() + FIRST_DIAL_LIMIT_MS
    this.#busy = true
    for (let waitMs = 50; !this.#isUp; waitMs = Math.min(waitMs * 2, 1000)) {
      try {
        await this.#dial()
      } catch (error) {
        if (this.#stop.signal.aborted || performance.now() > deadline || !retriable(error)) throw error
        await sleep(waitMs, undefined, { signal: this.#stop.signal })
      }
    }
    this.#busy = false
    this.#look = setInterval(() => this.#lookAtCarrier(), LOOK_MS).unref()
  }

  async close(): Promise<void> {
    this.record.enter('closed', 'closed by us')
    this.#stop.abort()
    clearTimeout(this.#age)
    clearInterval(this.#look)
    this.#tunnel = undefined
    await this.#session?.close()
  }

  get #isUp(): boolean {
    return this.#session?.attached === true
  }

  /** One carrier, and the session over it: the one that is there, if the agent still holds it, or a new one. */
  async #dial(): Promise<void> {
    const { privateKey, keeper } = this.#options
    const pod = await keeper.pod(this.#stop.signal)
    const carrier = await hedged(signal => this.#open(pod, signal), {
      everyMs: HEDGE_MS,
      most: HEDGE_MOST,
      signal: this.#stop.signal,
      discard: late => void late.on('error', () => {}).destroy()
    })
    const sessionId = randomBytes(16)
    let told = 0
    try {
      const { instance, resumed } = await clientHandshake(carrier, {
        privateKey,
        sessionId,
        number: () => ++this.#carriers,
        resume: found => {
          const session = this.#session
          if (session === undefined || found !== this.#agent?.instance) return undefined
          this.#switching = true
          session.detach()
          told = session.receivedBytes
          return { sessionId: this.#sessionId, received: told }
        },
        timeoutMs: HANDSHAKE_MS
      }).catch((error: unknown) => {
        if (error instanceof HandshakeError && error.reason === 'gone') this.#giveUp()
        throw explained(error, carrier)
      })
      if (resumed === undefined) this.#begin(carrier, sessionId, { pod, instance })
      else this.#goOn(carrier, { resumed, told, pod })
    } finally {
      this.#switching = false
    }
    this.#localAddress = localAddress(carrier)
    this.#setAge(this.#options.carrierMaxAgeMs ?? this.#options.cluster.carrierMaxAgeMs ?? CARRIER_MAX_AGE_MS)
  }

  /** A carrier on which the agent has spoken: the way is open to its end. */
  async #open(pod: string, signal: AbortSignal): Promise<Duplex> {
    const { cluster, keeper, open } = this.#options
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CARRIER_LIMIT_MS)])
    const carrier = await (open?.(pod, limit) ?? openCarrier(cluster, { pod, port: keeper.port, signal: limit }))
    await spoken(carrier, limit)
    return carrier
  }

  #begin(carrier: Duplex, sessionId: Uint8Array, { pod, instance }: Agent): void {
    const first = this.record.state === 'connecting'
    const why = this.#agent === undefined ? '' : whyAnew(this.#agent, { pod, instance })
    this.#giveUp()
    const session = new MuxSession(carrier, {
      role: 'client',
      onStream: this.#options.onStream ?? (stream => stream.reset('refused')), // nothing is exposed: nothing may come in
      onDetached: error => this.#lost(session, error?.message ?? 'the cluster closed the port-forward')
    })
    this.#session = session
    this.#agent = { pod, instance }
    this.#sessionId = sessionId
    this.#tunnel = new Tunnel(session)
    void session.closed.then(({ code, error }) => {
      this.#lost(session, error?.message ?? `the agent ended the session: ${code}`)
      if (this.#session === session) this.#session = undefined
    })
    const detail = first ? `carrier to pod ${pod}` : `to pod ${pod}, ${why}: what was open has been reset`
    this.record.note(first ? 'connected' : 'restarted', detail)
    this.record.enter('connected', detail)
  }

  #goOn(carrier: Duplex, { resumed, told, pod }: { resumed: number; told: number; pod: string }): void {
    const session = this.#session
    if (session?.receivedBytes !== told || !session.resume(carrier, resumed)) {
      carrier.destroy()
      this.#giveUp()
      throw new KtError('KT_AGENT', 'the agent and this side do not agree on what has arrived')
    }
    const { streams } = session.stats
    const after = ((performance.now() - this.#lostAt) / 1000).toFixed(1)
    const { record } = this
    if (record.state === 'connected') record.note('renewed', `a new carrier to pod ${pod}, ${streams} streams go on`)
    else record.note('resumed', `to pod ${pod} after ${after} s, ${streams} streams go on`)
    record.enter('connected', `to pod ${pod} after ${after} s: what was open goes on`)
  }

  /** The session cannot go on: its streams are reset. */
  #giveUp(): void {
    const session = this.#session
    this.#session = undefined
    void session?.close('lost')
  }

  /** The session has no carrier, or has ended. */
  #lost(session: MuxSession, why: string): void {
    if (this.#session !== session || this.#stop.signal.aborted || this.#switching) return
    this.#lostAt = performance.now()
    this.record.note('lost', why)
    this.record.enter('reconnecting', why)
    this.#options.onWayChanged?.()
    if (!this.#busy) void this.#redial()
  }

  /** Try until there is a carrier, and say each kind of failure once. */
  async #redial(): Promise<void> {
    const { signal } = this.#stop
    const said = new Set<KtErrorCode>(['KT_CARRIER_LOST'])
    clearTimeout(this.#age)
    this.#busy = true
    for (let waitMs = RETRY_FIRST_MS; !signal.aborted && !this.#isUp; waitMs = Math.min(waitMs * 2, RETRY_LAST_MS)) {
      try {
        await this.#dial()
        this.#options.onWayChanged?.()
      } catch (error) {
        if (signal.aborted) return
        const code = error instanceof KtError ? error.code : 'KT_INTERNAL'
        this.record.failed(messageOf(error), !said.has(code))
        said.add(code)
        await this.#checkPod(error)
        await sleep(waitMs * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => {})
      }
    }
    this.#busy = false
  }

  /** Is there still a pod to connect to? A kubelet that has just started says "does not exist" of pods that it has not met yet: the API server knows. */
  async #checkPod(error: unknown): Promise<void> {
    const { keeper } = this.#options
    const gone = error instanceof KtError && error.code === 'KT_NOT_FOUND'
    const usable = (await keeper.isUsable?.()) ?? !gone
    if (!usable) await keeper.lost()
  }

  #setAge(afterMs: number): void {
    clearTimeout(this.#age)
    this.#age = setTimeout(() => void this.#renew(), afterMs).unref()
  }

  /** Make before break: the present carrier works until its successor is there. */
  async #renew(): Promise<void> {
    if (this.#busy || !this.#isUp || this.#stop.signal.aborted) return
    const silent = this.#silentLooks >= SILENT_LOOKS
    this.#busy = true
    try {
      await this.#dial()
      if (silent) this.#options.onWayChanged?.()
    } catch (error) {
      this.record.failed(`no successor: ${messageOf(error)}`, false)
      this.#setAge(SUCCESSOR_RETRY_MS)
    }
    this.#busy = false
    const session = this.#session
    if (this.#isUp || this.#stop.signal.aborted) return
    if (session === undefined) void this.#redial()
    else this.#lost(session, 'its successor failed')
  }

  #lookAtCarrier(): void {
    const session = this.#session
    const heard = session?.receivedBytes ?? 0
    this.#silentLooks = heard === this.#heardBytes && this.#isUp ? this.#silentLooks + 1 : 0
    this.#heardBytes = heard
    const address = this.#localAddress
    if (this.#silentLooks >= SILENT_LOOKS) void this.#renew()
    if (!this.#isUp || address === undefined) return
    const own = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
    if (own.some(found => found.address === address)) return
    this.#session?.detach(new Error(`this computer has not the address ${address} any more`))
  }
}

/** Why streams could not go on with the agent that was found. */
function whyAnew(before: Agent, now: Agent): string {
  if (now.pod !== before.pod) return `in place of ${before.pod}`
  return now.instance === before.instance ? 'which had given the session up' : 'whose agent has been started again'
}

/** Resolves when there is something to read, or the end; destroys the carrier when it breaks or `signal` fires first. */
function spoken(carrier: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (result: () => void): void => {
      carrier.off('readable', onReadable).off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      result()
    }
    const onReadable = (): void => settle(resolve)
    const onClose = (): void =>
      settle(() => reject(carrier.errored ?? new KtError('KT_CARRIER_LOST', 'the port-forward was closed')))
    const onAbort = (): void => {
      carrier.destroy()
      settle(() => reject(new KtError('KT_CARRIER_LOST', 'the agent did not answer', { cause: signal.reason })))
    }
    carrier.on('error', () => {}) // 'close' follows; later ones are told to whoever listens then
    carrier.on('readable', onReadable).on('close', onClose)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** The address of this computer that a carrier uses, without a zone; undefined where it does not tell. */
function localAddress(carrier: Duplex): string | undefined {
  if (!('localAddress' in carrier) || typeof carrier.localAddress !== 'string') return undefined
  return carrier.localAddress.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/, '')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A handshake that failed because the carrier broke is the carrier's failure; one that was refused is a matter of keys or versions. */
function explained(error: unknown, carrier: Duplex): unknown {
  if (!(error instanceof HandshakeError)) return error
  if (error.reason === 'closed' || error.reason === 'timeout') {
    return (
      carrier.errored ?? new KtError('KT_CARRIER_LOST', `the agent did not answer: ${error.message}`, { cause: error })
    )
  }
  const code = error.reason === 'gone' || error.reason === 'late' ? 'KT_CARRIER_LOST' : 'KT_AGENT'
  return new KtError(code, error.message, { cause: error })
}

/** The agent may not listen yet, or the way may have hiccuped; a refusal by the API server stays one. */
function retriable(error: unknown): boolean {
  return !(error instanceof KtError) || error.code === 'KT_CARRIER_LOST' || error.code === 'KT_CARRIER_REFUSED'
}
