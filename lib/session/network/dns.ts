// The laptop finds the cluster's names: its resolver is pointed at ours, or /etc/hosts has them, or nothing is changed.
import type { Resolver } from '../../dns/server.ts'
import { KtError } from '../../errors.ts'
import { HostsFile } from '../../host/hosts-file.ts'
import type { Journal } from '../../host/journal.ts'
import type { Ranges } from '../../kube/network/ranges.ts'
import type { WatchedNames } from '../../kube/network/services.ts'
import { platform } from '../platform.ts'
import type { Report } from '../report.ts'
import type { DnsMode } from './dns-mode.ts'
import { hostsLines } from './hosts-lines.ts'
import { latestOnly } from './latest-only.ts'
import { LocalDns } from './local-dns.ts'
import type { Neighbours } from './neighbours.ts'

export interface DnsOptions {
  mode: DnsMode
  device: string
  /** Address of our resolver inside the TUN. */
  server: string
  /** Further domains whose names the cluster's DNS is asked for. */
  includeDomains: readonly string[]
  /** The domain of names that are this session's alone. */
  suffix: string
  /** The address by which programs here reach this one of the cluster. */
  toVirtual(address: string): string
  neighbours: Neighbours
  names: WatchedNames
  ranges: Ranges
  resolver: Resolver
  journal: Journal
  report: Report
  /** Others answer names now than before, who must stay outside of the routes; or another session is asked. */
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
      return LocalDns.start(options, options.mode.upstreams)
    case 'hosts':
      return startHosts(options, options.mode.namespaces)
    case 'none':
      return startNone(options)
  }
}

async function startHosts(options: DnsOptions, namespaces: readonly string[]): Promise<LaptopDns> {
  const { names, neighbours, report, journal } = options
  const other = neighbours.list.find(({ hosts }) => hosts)
  if (other !== undefined)
    throw new KtError(
      'KT_RUNNING',
      `the kt of context ${other.context} (process ${other.pid}) has /etc/hosts already`,
      {
        hint: '--dnsMode localDNS and none work beside it'
      }
    )
  neighbours.tell({ hosts: true })
  const upstreams = await askedHere(options)
  const file = new HostsFile(journal)
  const write = (): Promise<void> => file.set(hostsLines(names, namespaces, options.toVirtual))
  await write()
  const update = latestOnly(write, report)
  names.onChange = update
  const whose = [...new Set([names.namespace, ...namespaces])].join(', ')
  return {
    mode: 'hosts',
    describe: `/etc/hosts has the services of ${whose}; the laptop's resolver is as it was`,
    upstreams: () => upstreams,
    follow: update,
    async restore() {
      names.onChange = undefined
      const text = await file.restore()
      neighbours.tell({ hosts: false })
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
async function askedHere({ resolver, neighbours }: DnsOptions): Promise<readonly string[]> {
  const upstreams = neighbours.leader?.upstreams ?? (await platform.laptopUpstreams())
  resolver.upstreams = upstreams
  return upstreams
}
