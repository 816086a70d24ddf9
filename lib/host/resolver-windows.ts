// Point the programs of this computer at our resolver for the cluster's domains alone: rules of the Name Resolution Policy Table, by the
// cmdlets of the module DnsClient (learn.microsoft.com/powershell/module/dnsclient). Written to these documents, not yet run on Windows.
import { KtError } from '../errors.ts'
import type { Recorded } from './journal.ts'
import { powershell, quote, quoteAll, type Run } from './powershell.ts'
import { type PointedResolver, type PointResolverOptions, routedDomains } from './resolver-linux.ts'
import { run } from './run.ts'

/** A line of the journal: the rules with this comment are ours. They outlive the process, and a restart of the computer. */
export interface NrptChange {
  kind: 'nrpt'
  comment: string
}

interface WindowsPlace {
  run: Run
}

const HERE: WindowsPlace = { run }

/** Throws KT_RESOLVER or KT_JOURNAL; then nothing is changed. */
export async function pointResolver(
  options: PointResolverOptions,
  place: WindowsPlace = HERE
): Promise<PointedResolver> {
  const { device, server, domain, namespace, journal } = options
  const upstreams = (await laptopUpstreams(place)).filter(address => address !== server)
  const change: NrptChange = { kind: 'nrpt', comment: `kt ${process.pid} ${Date.now()}` }
  const known = new Set<string>()
  const add = async (domains: readonly string[], more: readonly string[]): Promise<void> => {
    const fresh = [...new Set(domains)].filter(each => !known.has(each))
    if (fresh.length === 0) return
    await set([rule(fresh, server, change.comment), ...more, 'Clear-DnsClientCache'], place)
    for (const each of fresh) known.add(each)
  }
  const recorded = journal.record(change)
  // What is searched for names of one label; it goes with the adapter.
  const suffix = `Set-DnsClient -InterfaceAlias ${quote(device)} -ConnectionSpecificSuffix ${quote(`${namespace}.svc.${domain}`)}`
  try {
    await add([domain, ...routedDomains(options)], [suffix])
  } catch (error) {
    await restore(change, recorded, place)
    throw error
  }
  return {
    mode: 'nrpt',
    upstreams,
    describe: `NRPT rules lead ${domain} and the cluster's short names to ${server}, and nothing else`,
    // A namespace that is gone keeps its rule: we pass on what we do not know.
    update: scope => add(routedDomains({ namespace, ...scope }), []),
    restore: () => restore(change, recorded, place)
  }
}

/** A dot in front: the domain and everything below it. */
function rule(domains: readonly string[], server: string, comment: string): string {
  const namespaces = quoteAll(domains.map(domain => `.${domain}`))
  return `Add-DnsClientNrptRule -Namespace ${namespaces} -NameServers ${quoteAll([server])} -DisplayName 'kt' -Comment ${quote(comment)}`
}

async function restore(change: NrptChange, recorded: Recorded, place: WindowsPlace): Promise<void> {
  await undoNrpt(change, place)
  recorded.done()
}

/** Remove our rules; true: there were some. Throws KT_RESOLVER. */
export async function undoNrpt({ comment }: NrptChange, place: WindowsPlace = HERE): Promise<boolean> {
  const stdout = await set(
    [
      `$ours = @(Get-DnsClientNrptRule | Where-Object { $_.Comment -eq ${quote(comment)} })`,
      '$ours | Remove-DnsClientNrptRule -Force',
      'Clear-DnsClientCache',
      '$ours.Count'
    ],
    place
  )
  return Number(stdout) > 0
}

/** What `SERVERS` prints; every field may be missing. */
interface ServersJson {
  interfaces?: { InterfaceIndex?: number; InterfaceMetric?: number }[]
  servers?: { InterfaceIndex?: number; ServerAddresses?: string[] }[]
}

const SERVERS =
  "ConvertTo-Json -Compress -Depth 4 -InputObject @{ interfaces = @(Get-NetIPInterface -ConnectionState 'Connected' | Select-Object InterfaceIndex, InterfaceMetric); servers = @(Get-DnsClientServerAddress | Select-Object InterfaceIndex, ServerAddresses) }"

/** Windows has these on links that were given no server (RFC 3879: not in use any more). */
const SITE_LOCAL = /^fec0:/i

/** Who answers names on this laptop, nothing being changed: the servers of the links that are up, the best link first. */
export async function laptopUpstreams(place: WindowsPlace = HERE): Promise<string[]> {
  const { interfaces = [], servers = [] } = parse(await set([SERVERS], place))
  const indices = interfaces
    .sort((a, b) => (a.InterfaceMetric ?? 0) - (b.InterfaceMetric ?? 0))
    .map(({ InterfaceIndex }) => InterfaceIndex)
  const found = indices.flatMap(index =>
    servers.filter(each => each.InterfaceIndex === index).flatMap(each => each.ServerAddresses ?? [])
  )
  return [...new Set(found)].filter(address => !SITE_LOCAL.test(address))
}

function parse(text: string): ServersJson {
  try {
    return (JSON.parse(text) as ServersJson | null) ?? {}
  } catch {
    return {}
  }
}

async function set(statements: readonly string[], place: WindowsPlace): Promise<string> {
  const { ok, stdout, stderr } = await powershell(statements, place)
  if (ok) return stdout
  throw new KtError('KT_RESOLVER', `Windows' name resolution: ${stderr.split('\n')[0]?.trim()}`)
}
