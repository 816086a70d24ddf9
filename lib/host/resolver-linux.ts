// Point the programs of this laptop at our resolver, in the way that this laptop resolves names.
import type { Journal } from './journal.ts'
import { nameServers, PointedFile } from './pointed-file.ts'
import { type Before, readResolvConf } from './resolv-conf-file.ts'
import { reverseZones } from './reverse-zones.ts'
import { isKtServer } from './slots.ts'
import { type LinkDns, resolvedUpstreams, revertLink, routeDomains, setLink, usesResolved } from './systemd-resolved.ts'

/** What only systemd-resolved has to know, because it asks us for these names alone. */
export interface Scope {
  /** Other namespaces whose names may be written `service.namespace`. */
  namespaces?: readonly string[] | undefined
  /** Ranges of the cluster: their reverse lookups are ours. */
  ranges?: readonly string[] | undefined
  /** Further domains whose names are ours. */
  domains?: readonly string[] | undefined
  /** Domains of other sessions, which are searched after ours. */
  search?: readonly string[] | undefined
}

export interface PointResolverOptions extends Scope {
  device: string
  /** Address of our resolver inside the TUN; it answers on port 53. */
  server: string
  /** The cluster domain. */
  domain: string
  /** Names of one label are looked for in this namespace first. */
  namespace: string
  journal: Journal
  /** Told what the user should know: another program has changed what we did, now or by the time it is put back. */
  note?: (line: string) => void
  /** Others answer names now than before: another program has said so. */
  onUpstreams?: (upstreams: string[]) => void
  /** From a session that hands over: what is to be put back one day. */
  found?: Before | undefined
}

export interface PointedResolver {
  mode: 'systemd-resolved' | 'resolv.conf' | 'etc-resolver' | 'nrpt'
  /** Who answered names before us; never our own address. */
  upstreams: string[]
  /** One line for the user. */
  describe: string
  /** The cluster has other namespaces or ranges now. Throws KT_RESOLVER. */
  update(scope: Scope): Promise<void>
  /** Everything as it was, byte by byte. Called again it does nothing. Throws KT_RESOLVER; the journal then keeps it. */
  restore(): Promise<void>
  /**
   * In place of `restore`, where several sessions can be: `give` lets another one point the laptop at itself, with what is to be put back one
   * day. False: it has not, and `restore` is to be called.
   */
  handOver?(give: (before: Before) => Promise<boolean>): Promise<boolean>
}

/** Throws KT_RESOLVER or KT_JOURNAL; then nothing is changed. */
export async function pointResolver(options: PointResolverOptions): Promise<PointedResolver> {
  const { domain, namespace } = options
  const before = options.found ?? (await readResolvConf())
  const search = [`${namespace}.svc.${domain}`, `svc.${domain}`, domain]
  return (await usesResolved(before.kind === 'missing' ? '' : before.text))
    ? pointResolved(options, search)
    : pointFile(options, search)
}

/** Who answers names on this laptop, nothing being changed. */
export async function laptopUpstreams(): Promise<string[]> {
  const now = await readResolvConf()
  const text = now.kind === 'missing' ? '' : now.text
  const servers = (await usesResolved(text)) ? await resolvedUpstreams() : nameServers(text)
  return servers.filter(address => !isKtServer(address))
}

/**
 * The domains whose names are ours, beside the cluster domain, where a system asks us for these alone. There are no top-level domains `svc`
 * and `pod`; names of a real one that is called like a namespace, we pass on.
 */
export function routedDomains({
  namespace,
  namespaces = [],
  ranges = [],
  domains = []
}: Scope & { namespace: string }): string[] {
  return [...new Set(['svc', 'pod', namespace, ...namespaces, ...domains, ...ranges.flatMap(reverseZones)])]
}

async function pointResolved(options: PointResolverOptions, search: string[]): Promise<PointedResolver> {
  const { device, server, domain, namespace } = options
  // What is searched is routed, too; both at once would only be the latter.
  const domains = (scope: Scope): Pick<LinkDns, 'search' | 'routed'> => {
    const searched = new Set([...search, ...(scope.search ?? [])])
    return { search: [...searched], routed: routedDomains({ namespace, ...scope }).filter(each => !searched.has(each)) }
  }
  const upstreams = (await resolvedUpstreams()).filter(address => address !== server && !isKtServer(address))
  let now = domains(options)
  try {
    await setLink({ device, server, ...now })
  } catch (error) {
    await revertLink(device)
    throw error
  }
  return {
    mode: 'systemd-resolved',
    upstreams,
    describe: `systemd-resolved asks ${server} on ${device} for ${domain} and the cluster's short names only`,
    async update(scope) {
      const next = domains(scope)
      if (JSON.stringify(next) === JSON.stringify(now)) return
      now = next
      await routeDomains({ device, ...next })
    },
    restore: once(() => revertLink(device)),
    async handOver(give) {
      if (!(await give(await readResolvConf()))) return false
      await revertLink(device)
      return true
    }
  }
}

async function pointFile(options: PointResolverOptions, search: string[]): Promise<PointedResolver> {
  const { server, journal, found, note = () => {}, onUpstreams = () => {} } = options
  const { pointed, upstreams } = await PointedFile.write({
    ours: { server, search },
    journal,
    found,
    note,
    onUpstreams
  })
  return {
    mode: 'resolv.conf',
    upstreams,
    describe: `/etc/resolv.conf names ${server} first; other names are asked from ${upstreams.join(', ')}`,
    update: async () => {}, // every question comes to us
    restore: once(() => pointed.restore()),
    handOver: give => pointed.handOver(give)
  }
}

function once<T>(f: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= f()
    return result
  }
}
