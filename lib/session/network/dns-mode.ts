// `--dnsMode` as kt-connect's users write it: localDNS[:order], hosts[:namespaces], none. Pure.
import { isIP } from 'node:net'
import { KtError } from '../../errors.ts'

export type DnsMode =
  /** The laptop's resolver is pointed at ours. `upstreams`: who answers other names, instead of the laptop's own; each `address[:port]` or `upstream[:port]`. */
  | { kind: 'localDNS'; upstreams?: string[] }
  /** Names are written into /etc/hosts: those of the session's namespace, and of these. */
  | { kind: 'hosts'; namespaces: string[] }
  /** Nothing of the laptop is changed. */
  | { kind: 'none' }

export interface ParsedDnsMode {
  mode: DnsMode
  /** What the user should know, one line each. */
  notes: string[]
}

/** RFC 1123 label, as a namespace is called. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/** Throws KT_USAGE. */
export function parseDnsMode(text: string): ParsedDnsMode {
  const [name = '', rest = ''] = split(text)
  const list = rest
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
  switch (name.toLowerCase()) {
    case 'localdns':
      return localDns(list)
    case 'poddns':
      return {
        mode: { kind: 'localDNS' },
        notes: ['--dnsMode podDNS is localDNS here: whatever the cluster knows alone, its own DNS is asked for']
      }
    case 'hosts':
      for (const namespace of list) if (!NAMESPACE.test(namespace)) throw problem(text, `${namespace} is no namespace`)
      return { mode: { kind: 'hosts', namespaces: list }, notes: [] }
    case 'none':
      if (rest !== '') throw problem(text, 'none takes nothing behind it')
      return { mode: { kind: 'none' }, notes: [] }
    default:
      throw problem(text, 'unknown mode')
  }
}

/** kt-connect's order: `cluster`, and `[tcp:|udp:]upstream[:port]` or `[tcp:|udp:]address[:port]`. */
function localDns(order: string[]): ParsedDnsMode {
  const notes: string[] = []
  const upstreams: string[] = []
  for (const entry of order) {
    if (entry === 'cluster') continue
    const [, transport, server = ''] = /^(?:(tcp|udp):)?(.*)$/.exec(entry) ?? []
    if (!isServer(server))
      throw problem(`localDNS:${order.join(',')}`, `${entry} is neither cluster, upstream nor an address`)
    if (transport !== undefined)
      notes.push(`--dnsMode ${entry}: asked over UDP or TCP as the program asks, not always ${transport}`)
    upstreams.push(server)
  }
  if (order.length > 0 && order[0] !== 'cluster') {
    notes.push('--dnsMode: names of the cluster are always asked from the cluster, and no others are')
  }
  return { mode: { kind: 'localDNS', ...(upstreams.length > 0 && { upstreams }) }, notes }
}

/** `upstream`, an address, or one of them with a port. */
function isServer(server: string): boolean {
  if (server === 'upstream' || isIP(server) !== 0) return true
  const [, host, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(server)?.filter(part => part !== undefined) ?? []
  return (
    port !== undefined && Number(port) >= 1 && Number(port) <= 0xffff && (host === 'upstream' || isIP(host ?? '') !== 0)
  )
}

/** The servers to ask for other names: `wanted`, in which `upstream` stands for the laptop's own. */
export function upstreamsOf(wanted: readonly string[] | undefined, own: readonly string[]): string[] {
  if (wanted === undefined) return [...own]
  return [
    ...new Set(
      wanted.flatMap(each => {
        const [, port] = /^upstream(?::(\d+))?$/.exec(each) ?? [each, each]
        if (port === each) return [each]
        return port === undefined
          ? own
          : own.map(address => `${address.includes(':') ? `[${address}]` : address}:${port}`)
      })
    )
  ]
}

/** At the first colon. */
function split(text: string): [string, string] {
  const at = text.indexOf(':')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function problem(text: string, why: string): KtError {
  return new KtError('KT_USAGE', `--dnsMode ${text}: ${why}`, {
    hint: 'localDNS, localDNS:cluster,upstream, hosts, hosts:ns1,ns2 or none'
  })
}
