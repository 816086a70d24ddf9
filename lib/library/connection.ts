// One connection of a program: its clients, its diversions, and their end.
import { type LookupAddress, type LookupAllOptions, type LookupOptions, lookup as lookupDirect } from 'node:dns'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Dispatcher, fetch } from 'undici'
import { KtError } from '../errors.ts'
import { parseTarget } from '../kube/traffic/target.ts'
import type { Dialer } from '../proxy/dialer.ts'
import { DialingAgent, SecureDialingAgent } from '../proxy/http-agent.ts'
import type { Access, AccessOptions } from '../session/access.ts'
import type { Report } from '../session/report.ts'
import type { Running } from '../session/run.ts'
import { exchange } from '../session/traffic-in/exchange.ts'
import type { LocalOptions } from '../session/traffic-in/exposing.ts'
import { preview } from '../session/traffic-in/preview.ts'
import { datagramStream } from './datagram-stream.ts'
import { DialError, withCodes } from './dial-error.ts'
import { dialingDispatcher } from './dispatcher.ts'
import { divert } from './divert.ts'
import type { Connection, DialOptions, Diversion, ExchangeOptions, PreviewOptions } from './types.ts'

/** A new service and its endpoint are in the watch a moment after they were made, ms; nobody waits for longer. */
const SEEN_MS = 2_000
const LOOK_EVERY_MS = 10

export interface KtConnectionParts extends Running {
  access: Access
  settings: AccessOptions
}

type Found = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

export class KtConnection implements Connection {
  readonly #parts: KtConnectionParts
  readonly #dialer: Dialer
  readonly #diversions = new Set<Diversion>()
  readonly dispatcher: Dispatcher
  readonly agent: DialingAgent
  readonly secureAgent: SecureDialingAgent
  readonly fetch: typeof fetch
  readonly lookup: typeof lookupDirect
  #closed: Promise<void> | undefined

  constructor(parts: KtConnectionParts) {
    this.#parts = parts
    this.#dialer = withCodes(parts.access.dialer)
    this.dispatcher = dialingDispatcher(this.#dialer)
    this.agent = new DialingAgent(this.#dialer)
    this.secureAgent = new SecureDialingAgent(this.#dialer)
    this.fetch = (input, init) => fetch(input, { dispatcher: this.dispatcher, ...init })
    this.lookup = this.#lookup.bind(this) as typeof lookupDirect
  }

  get context(): string {
    return this.#parts.access.cluster.contextName
  }
  get namespace(): string {
    return this.#parts.access.cluster.namespace
  }

  async dial(network: 'tcp' | 'udp', target: string, { signal }: DialOptions = {}): Promise<Duplex> {
    const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(target) ?? []
    const host = bracketed ?? plain
    const port = Number(digits)
    if (host === undefined || port < 1 || port > 0xffff)
      throw new KtError('KT_USAGE', `"${target}" is not host:port`, {
        hint: 'for example nginx.demo:80 or [fd00::7]:80'
      })
    return network === 'tcp'
      ? await this.#dialer.dial(host, port, signal)
      : await datagramStream(this.#dialer, host, port)
  }

  exchange(target: string, { takeover = false, fallback = false, ...options }: ExchangeOptions): Promise<Diversion> {
    const wish = { target: parseTarget(target), expose: options.expose, takeover, fallback }
    return this.#divert(options, (all, report, stop) => exchange({ ...all, ...wish }, report, stop))
  }

  async preview(name: string, options: PreviewOptions): Promise<Diversion> {
    const wish = { name, expose: options.expose, external: false }
    const diversion = await this.#divert(options, (all, report, stop) => preview({ ...all, ...wish }, report, stop))
    const { names } = this.#parts.access
    const isSeen = (): boolean => {
      const service = names.service(names.namespace, name)
      return service !== undefined && names.ready(service) > 0
    }
    for (let waited = 0; waited < SEEN_MS && !isSeen(); waited += LOOK_EVERY_MS) await sleep(LOOK_EVERY_MS)
    return diversion
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#diversions].map(diversion => diversion.close()))
    await this.dispatcher.destroy()
    this.agent.destroy()
    this.secureAgent.destroy()
    const { stop, life, report } = this.#parts
    stop.abort()
    await life.stop(({ what, ms, error }) => {
      if (error === undefined) report({ event: 'restored', what, ms })
      else report({ event: 'warning', text: `${what}: ${error instanceof Error ? error.message : String(error)}` })
    })
  }

  async #divert(
    { skipPortChecking = false, proxyProtocol = false }: PreviewOptions,
    session: (options: AccessOptions & LocalOptions, report: Report, stop: AbortController) => Promise<void>
  ): Promise<Diversion> {
    if (this.#closed !== undefined) throw new KtError('KT_USAGE', 'this connection is closed')
    const { settings, report } = this.#parts
    const options = { ...settings, skipPortChecking, proxyProtocol, calls: false }
    const diversion = await divert(report, (told, stop) => session(options, told, stop))
    this.#diversions.add(diversion)
    return diversion
  }

  #lookup(hostname: string, options: LookupOptions | number | Found, callback?: Found): void {
    const done = typeof options === 'function' ? options : callback
    const wanted = typeof options === 'object' ? options : typeof options === 'number' ? { family: options } : {}
    if (done === undefined) throw new TypeError('a callback is expected')
    const { dialer } = this.#parts.access
    if (!dialer.isCluster(hostname)) {
      lookupDirect(hostname, wanted as LookupAllOptions, done)
      return
    }
    const family = wanted.family === 'IPv4' ? 4 : wanted.family === 'IPv6' ? 6 : (wanted.family ?? 0)
    dialer.lookup(hostname).then(
      found => {
        const all = found.map(address => ({ address, family: isIP(address) }))
        const fitting = all.filter(each => family === 0 || each.family === family)
        const [first] = fitting
        if (first === undefined) done(new DialError('ENOTFOUND', `${hostname}: no IPv${family} address`, undefined), '')
        else if (wanted.all) done(null, fitting)
        else done(null, first.address, first.family)
      },
      (error: Error) => done(new DialError('ENOTFOUND', error.message, error), '')
    )
  }
}
