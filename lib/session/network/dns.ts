// The laptop finds the cluster's names: its resolver is pointed at ours, or /etc/hosts has them, or nothing is changed.
import type { Resolver } from '../../dns/server.ts'
import { HostsFile } from '../../host/hosts-file.ts'
import type { Journal } from '../../host/journal.ts'
import { laptopUpstreams, pointResolver, type Scope } from '../../host/resolver-linux.ts'
import type { Ranges } from '../../kube/network/ranges.ts'
import type { WatchedNames } from '../../kube/network/services.ts'
import type { Report } from '../report.ts'
import { type DnsMode, upstreamsOf } from './dns-mode.ts'
import { hostsLines } from './hosts-lines.ts'

export interface DnsOptions {
  mode: DnsMode
  device: string
  /** Address of our resolver inside the TUN. */
  server: string
  /** Further domains whose names the cluster's DNS is asked for. */
  includeDomains: readonly string[]
  names: WatchedNames
  ranges: Ranges
  resolver: Resolver
  journal: Journal
  report: Report
  /** Others answer names now than before; they must stay outside of the routes. */
  onUpstreams(): void
}

export interface LaptopDns {
  mode: string
  /** One line for the user. */
  describe: string
  /** Who answers other names, now. */
  upstreams(): readonly string[]
  /** The cluster has other ranges now. */
  follow(ranges: Ranges): void
  /** Everything as it was. */
  restore(): Promise<void>
}

/** Set it up as `mode` says, and keep it true while namespaces and services change. Throws KtError; then nothing is changed. */
export async function startDns(options: DnsOptions): Promise<LaptopDns> {
  switch (options.mode.kind) {
    case 'localDNS':
      return startLocal(options, options.mode.upstreams)
    case 'hosts':
      return startHosts(options, options.mode.namespaces)
    case 'none':
      return startNone(options)
  }
}

async function startLocal(options: DnsOptions, wanted: string[] | undefined): Promise<LaptopDns> {
  const { names, resolver, report } = options
  let { ranges } = options
  let upstreams: string[] = []
  const take = (own: readonly string[]): void => {
    upstreams = upstreamsOf(wanted, own)
    resolver.upstreams = upstreams
  }
  const scope = (): Scope => ({
    namespaces: [...names.namespaces()].sort(),
    ranges: ranges.ranges.map(({ cidr }) => cidr),
    domains: options.includeDomains
  })
  const pointed = await pointResolver({
    device: options.device,
    server: options.server,
    domain: names.domain,
    namespace: names.namespace,
    ...scope(),
    journal: options.journal,
    note: text => report({ event: 'note', text }),
    onUpstreams: own => {
      take(own)
      options.onUpstreams()
    }
  })
  take(pointed.upstreams)
  const update = latestOnly(() => pointed.update(scope()), report)
  names.onChange = update
  return {
    mode: pointed.mode,
    describe: pointed.describe,
    upstreams: () => upstreams,
    follow(now) {
      ranges = now
      update()
    },
    restore() {
      names.onChange = undefined
      return pointed.restore()
    }
  }
}

async function startHosts(options: DnsOptions, namespaces: readonly string[]): Promise<LaptopDns> {
  const { names, report, journal } = options
  const upstreams = await askedHere(options)
  const file = new HostsFile(journal)
  const write = (): Promise<void> => file.set(hostsLines(names, namespaces))
  await write()
  names.onChange = latestOnly(write, report)
  const whose = [...new Set([names.namespace, ...namespaces])].join(', ')
  return {
    mode: 'hosts',
    describe: `/etc/hosts has the services of ${whose}; the laptop's resolver is as it was`,
    upstreams: () => upstreams,
    follow: () => {},
    async restore() {
      names.onChange = undefined
      const text = await file.restore()
      if (text !== undefined) report({ event: 'note', text })
    }
  }
}

async function startNone(options: DnsOptions): Promise<LaptopDns> {
  const upstreams = await askedHere(options)
  return {
    mode: 'none',
    describe: `nothing is changed; ${options.server} answers who asks it, as in: dig @${options.server} kubernetes.default.svc`,
    upstreams: () => upstreams,
    follow: () => {},
    restore: async () => {}
  }
}

/** Who asks our resolver although nothing points at it gets other names from where the laptop gets them. */
async function askedHere({ resolver }: DnsOptions): Promise<readonly string[]> {
  const upstreams = await laptopUpstreams()
  resolver.upstreams = upstreams
  return upstreams
}

/** `f` once at a time; calls meanwhile are one call afterwards. What fails is said. */
function latestOnly(f: () => Promise<void>, report: Report): () => void {
  let running: boolean = false
  let again: boolean = false
  const run = async (): Promise<void> => {
    running = true
    do {
      again = false
      await f().catch((error: Error) => report({ event: 'warning', text: `DNS is not up to date: ${error.message}` }))
    } while (again)
    running = false
  }
  return () => {
    if (running) again = true
    else void run()
  }
}
