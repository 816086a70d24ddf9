// Point the programs of this laptop at our resolver, in the way that this laptop resolves names.
import { readdirSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Journal } from './journal.ts'
import { hasOurs, parseResolvConf, withOurs, withoutOurs } from './resolv-conf.ts'
import {
  type Before,
  describeUndo,
  type ResolvConfChange,
  readResolvConf,
  undoResolvConf,
  writeResolvConf
} from './resolv-conf-file.ts'
import { reverseZones } from './reverse-zones.ts'
import { resolvedUpstreams, revertLink, setLink, usesResolved } from './systemd-resolved.ts'

export interface PointResolverOptions {
  device: string
  /** Address of our resolver inside the TUN; it answers on port 53. */
  server: string
  /** The cluster domain. */
  domain: string
  /** Names of one label are looked for in this namespace first. */
  namespace: string
  /** Other namespaces whose names may be written `service.namespace`. Only systemd-resolved has to know. */
  namespaces?: readonly string[]
  /** Ranges of the cluster: their reverse lookups are ours. Only systemd-resolved has to know. */
  ranges?: readonly string[]
  journal: Journal
  /** Told what the user should know when putting back was not just that. */
  note?: (line: string) => void
}

export interface PointedResolver {
  mode: 'systemd-resolved' | 'resolv.conf'
  /** Who answered names before us; never our own address. */
  upstreams: string[]
  /** One line for the user. */
  describe: string
  /** Everything as it was, byte by byte. Called again it does nothing. Throws KT_RESOLVER; the journal then keeps it. */
  restore(): Promise<void>
}

/** glibc's server when the file names none (resolv.conf(5)). */
const LOCAL_SERVER = '127.0.0.1'

/** Throws KT_RESOLVER or KT_JOURNAL; then nothing is changed. */
export async function pointResolver(options: PointResolverOptions): Promise<PointedResolver> {
  const { domain, namespace } = options
  const before = await readResolvConf()
  const text = before.kind === 'missing' ? '' : before.text
  const search = [`${namespace}.svc.${domain}`, `svc.${domain}`, domain]
  return (await usesResolved(text)) ? pointResolved(options, search) : pointFile(options, search, before, text)
}

async function pointResolved(options: PointResolverOptions, search: string[]): Promise<PointedResolver> {
  const { device, server, domain, namespace, namespaces = [], ranges = [] } = options
  // There are no top-level domains `svc` and `pod`; names of a real one that is called like a namespace, we pass on.
  const routed = ['svc', 'pod', namespace, ...namespaces, ...ranges.flatMap(reverseZones)]
  const upstreams = (await resolvedUpstreams()).filter(address => address !== server)
  try {
    await setLink({ device, server, search, routed: [...new Set(routed)] })
  } catch (error) {
    await revertLink(device)
    throw error
  }
  return {
    mode: 'systemd-resolved',
    upstreams,
    describe: `systemd-resolved asks ${server} on ${device} for ${domain} and the cluster's short names only`,
    restore: once(() => revertLink(device))
  }
}

async function pointFile(
  { server, journal, note = () => {} }: PointResolverOptions,
  search: string[],
  found: Before,
  text: string
): Promise<PointedResolver> {
  const ours = { server, search }
  // What an earlier kt has left without a journal is nobody's wish: it is not put back either.
  const clean = hasOurs(text, ours) ? withoutOurs(text, ours) : text
  const before: Before = found.kind === 'file' ? { kind: 'file', text: clean } : found
  const written = withOurs(clean, ours, { alone: hasMusl(), impliedSearch: hostDomain() })
  const change: ResolvConfChange = { kind: 'resolv.conf', before, written, ours }
  const recorded = journal.record(change)
  await writeResolvConf(change)
  const { nameservers } = parseResolvConf(clean)
  const upstreams = nameservers.length > 0 ? nameservers : [LOCAL_SERVER]
  return {
    mode: 'resolv.conf',
    upstreams,
    describe: `/etc/resolv.conf names ${server} first; other names are asked from ${upstreams.join(', ')}`,
    restore: once(async () => {
      const result = await undoResolvConf(change)
      recorded.done()
      const line = describeUndo(result)
      if (result === 'merged' && line !== undefined) note(line)
    })
  }
}

/**
 * True if programs of this laptop may use musl's resolver: it asks all nameservers at once and believes the first,
 * so that a company's "no such name" would win over our answer.
 */
function hasMusl(): boolean {
  return readdirSync('/lib').some(name => name.startsWith('ld-musl-'))
}

/** resolv.conf(5): without `search`, the part of the host name behind its first dot is searched. */
function hostDomain(): string {
  return hostname().split('.').slice(1).join('.')
}

function once<T>(f: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= f()
    return result
  }
}
