// The laptop's resolver is pointed at ours. Of several sessions one is asked, and asks the others; when it goes, the next takes its place.
import { setTimeout as sleep } from 'node:timers/promises'
import { PEER_PORT } from '../../dns/peers.ts'
import { KtError } from '../../errors.ts'
import { takeLease } from '../../host/lease.ts'
import type { Before } from '../../host/resolv-conf-file.ts'
import { type PointedResolver, routedDomains, type Scope } from '../../host/resolver-linux.ts'
import { processStart } from '../../host/state.ts'
import type { Ranges } from '../../kube/network/ranges.ts'
import { recoverLaptop } from '../laptop.ts'
import { platform } from '../platform.ts'
import type { DnsOptions, LaptopDns } from './dns.ts'
import { upstreamsOf } from './dns-mode.ts'
import { latestOnly } from './latest-only.ts'
import type { Facts } from './neighbours.ts'

/** Held by the session that the laptop asks, while it does. */
const LEASE = 'resolver'
/** Whoever has the lease points the laptop at itself in less. */
const WAIT_MS = 5000
const LOOK_EVERY_MS = 20
/** The kernel ends a killed process in less. */
const DEATH_LIMIT_MS = 2000

export class LocalDns implements LaptopDns {
  readonly #options: DnsOptions
  readonly #wanted: string[] | undefined
  readonly #update: () => void
  #ranges: Ranges
  #pointed: PointedResolver | undefined
  #release = async (): Promise<void> => {}
  /** The other session that the laptop asked when this was last looked at. */
  #leader: Facts | undefined
  #upstreams: readonly string[] = []
  /** Taking the place of another session. */
  #taking: Promise<void> | undefined
  #ended: boolean = false

  private constructor(options: DnsOptions, wanted: string[] | undefined) {
    this.#options = options
    this.#wanted = wanted
    this.#ranges = options.ranges
    this.#update = latestOnly(async () => {
      this.#tell()
      await this.#pointed?.update(this.#scope())
    }, options.report)
  }

  /** Throws KtError; then nothing is changed. */
  static async start(options: DnsOptions, wanted: string[] | undefined): Promise<LocalDns> {
    const local = new LocalDns(options, wanted)
    const { neighbours, names, server } = options
    await local.#takePlace()
    names.onChange = local.#update
    neighbours.listen(() => local.#look())
    neighbours.onTake = before => local.#takeOver(() => local.#inherit(before))
    local.#tell()
    local.#look()
    // Names are found from now on.
    if (local.#pointed === undefined) await neighbours.until(() => isAsked(neighbours.leader, server), WAIT_MS)
    return local
  }

  get mode(): string {
    return this.#pointed?.mode ?? 'shared'
  }

  get describe(): string {
    if (this.#pointed !== undefined) return this.#pointed.describe
    const leader = this.#leader
    if (leader === undefined) return 'the kt that was asked for names is gone'
    return `the kt of context ${leader.context} (process ${leader.pid}) is asked for names, and asks ${this.#options.server} for those that it does not have`
  }

  upstreams(): readonly string[] {
    return this.#upstreams
  }

  follow(ranges: Ranges): void {
    this.#ranges = ranges
    this.#update()
  }

  async restore(): Promise<void> {
    const { neighbours, names } = this.#options
    this.#ended = true
    names.onChange = undefined
    neighbours.onTake = undefined
    await this.#taking
    try {
      await this.#leave()
    } finally {
      neighbours.tell({ leads: false, resolver: '' })
      await this.#release()
    }
  }

  /** Another session is asked from now on; without one everything is as it was. */
  async #leave(): Promise<void> {
    const { neighbours, report } = this.#options
    const pointed = this.#pointed
    if (pointed === undefined) return
    if (!(await pointed.handOver?.(before => neighbours.handOver(before)))) return await pointed.restore()
    const heir = neighbours.leader
    const text = `the kt of context ${heir?.context} (process ${heir?.pid}) is asked for names now`
    report({ event: 'note', text })
  }

  /** Lead, or find who leads. */
  async #takePlace(): Promise<void> {
    const { neighbours } = this.#options
    for (const deadline = performance.now() + WAIT_MS; neighbours.leader === undefined; await sleep(LOOK_EVERY_MS)) {
      const release = await takeLease(LEASE)
      if (release !== undefined) {
        await this.#lead(release)
        return
      }
      if (performance.now() > deadline)
        throw new KtError('KT_RESOLVER', "another kt has the laptop's resolver and does not say what it is", {
          hint: 'is it that of another user? --dnsMode hosts or none works beside it'
        })
    }
  }

  async #lead(release: () => Promise<void>, found?: Before): Promise<void> {
    const { neighbours, names, server, device, journal, report, onUpstreams } = this.#options
    try {
      this.#pointed = await platform.pointResolver({
        ...{ device, server, journal, found, domain: names.domain, namespace: names.namespace },
        ...this.#scope(),
        note: text => report({ event: 'note', text }),
        onUpstreams: own => {
          this.#take(own)
          this.#tell()
          onUpstreams()
        }
      })
    } catch (error) {
      await release()
      throw error
    }
    this.#release = release
    this.#leader = undefined
    this.#take(this.#pointed.upstreams)
    neighbours.tell({ leads: true })
  }

  #take(own: readonly string[]): void {
    this.#upstreams = upstreamsOf(this.#wanted, own)
    this.#options.resolver.upstreams = this.#upstreams
  }

  /** Of this session alone. */
  #own(): Scope {
    const { names, includeDomains, suffix, toVirtual } = this.#options
    return {
      namespaces: [...names.namespaces()].sort(),
      ranges: this.#ranges.ranges.map(({ cidr }) => cidr.replace(/^[^/]*/, toVirtual)),
      domains: [...includeDomains, suffix]
    }
  }

  /** With those of the sessions that we ask. */
  #scope(): Scope {
    const own = this.#own()
    const others = this.#options.neighbours.list.filter(({ resolver }) => resolver !== '')
    return {
      ...own,
      domains: [...(own.domains ?? []), ...others.flatMap(({ routed }) => routed)],
      search: others.flatMap(({ search }) => search)
    }
  }

  #tell(): void {
    const { names, neighbours, server } = this.#options
    const { domain, namespace } = names
    const asks = neighbours.list.map(({ resolver }) => resolver).filter(each => each !== '')
    neighbours.tell({
      resolver: this.#ended ? '' : server,
      upstreams: [...this.#upstreams],
      search: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain],
      routed: [...routedDomains({ namespace, ...this.#own() }), domain],
      asks: this.#pointed === undefined ? [] : asks
    })
  }

  /** Another session has come, has gone, or is something else now. */
  #look(): void {
    if (this.#ended) return
    const { neighbours, resolver, onUpstreams } = this.#options
    if (this.#pointed !== undefined) {
      const others = neighbours.list.filter(({ resolver: at }) => at !== '')
      resolver.peers = others.map(({ resolver: at }) => `${at}:${PEER_PORT}`)
      this.#update()
      return
    }
    const { leader } = neighbours
    if (leader === undefined) {
      this.#takeOver(() => this.#succeed())
      return
    }
    this.#leader = leader
    if (leader.upstreams.join() === this.#upstreams.join()) return
    this.#upstreams = leader.upstreams
    resolver.upstreams = leader.upstreams
    onUpstreams()
  }

  /** Only one at a time, and none once this session ends. */
  #takeOver(f: () => Promise<void>): void {
    if (this.#ended || this.#taking !== undefined || this.#pointed !== undefined) return
    const { report } = this.#options
    this.#taking = f().then(
      () => {
        this.#taking = undefined
        this.#look()
      },
      (error: Error) => {
        this.#taking = undefined // tried again when the others change
        report({ event: 'warning', text: `names are not found: ${error.message}` })
      }
    )
  }

  /** Nobody leads any more. */
  async #succeed(): Promise<void> {
    const { neighbours } = this.#options
    const patience = performance.now() + WAIT_MS
    for (; !this.#ended && neighbours.leader === undefined; await sleep(LOOK_EVERY_MS)) {
      const release = this.#isNext() || performance.now() > patience ? await takeLease(LEASE) : undefined
      if (release === undefined) continue
      // What a killed one had changed is put back first, as it was before both.
      if (this.#leader !== undefined) await hasEnded(this.#leader)
      await recoverLaptop()
      if (this.#ended) return await release()
      await this.#lead(release)
      return this.#tellUser()
    }
  }

  /** None of the others that could lead has been here before. */
  #isNext(): boolean {
    const { list, since } = this.#options.neighbours
    const isLater = (other: Facts): boolean => other.since > since || (other.since === since && other.pid > process.pid)
    return list.every(other => other.resolver === '' || isLater(other))
  }

  #tellUser(): void {
    const { onUpstreams, report } = this.#options
    onUpstreams()
    report({ event: 'note', text: `this kt is asked for names now: ${this.describe}` })
  }

  /** The lease of a session that is about to give it back. */
  async #claim(): Promise<void> {
    for (const deadline = performance.now() + WAIT_MS; !this.#ended && performance.now() < deadline; ) {
      const release = await takeLease(LEASE)
      if (release === undefined) {
        await sleep(LOOK_EVERY_MS)
        continue
      }
      this.#release = release
      return
    }
  }

  /** The session that leads goes, and has said what is to be put back one day. */
  async #inherit(before: Before): Promise<void> {
    await this.#lead(async () => {}, before)
    this.#tellUser()
    await this.#claim()
  }
}

function isAsked(leader: Facts | undefined, server: string): boolean {
  return leader === undefined || leader.asks.includes(server)
}

/** A line to a process ends before the process does. One that has not been killed lives on. */
async function hasEnded({ pid, started, leads }: Facts): Promise<void> {
  if (!leads) return
  for (const deadline = performance.now() + DEATH_LIMIT_MS; performance.now() < deadline; await sleep(LOOK_EVERY_MS))
    if (processStart(pid) !== started) return
}
