// Who is called through the agent, and who from this computer: decided by name or address, as `kt up` does it with routes and resolver.
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ClusterNames } from '../../dns/cluster-names.ts'
import { whose } from '../../dns/names.ts'
import type { Resolver } from '../../dns/server.ts'
import { DIRECT, type Dialer, tunnelError } from '../../proxy/dialer.ts'
import { connectionTrace } from '../../trace.ts'
import { type Datagrams, type DatagramsEnd, type Tunnel, TunnelError } from '../../tunnel/tunnel.ts'

/** Addresses of one name that are tried in turn; of a headless service the others would hardly do better. */
const MAX_ADDRESSES = 4

export interface ClusterDialerOptions {
  link: { readonly tunnel: Tunnel | undefined }
  resolver: Pick<Resolver, 'explain'>
  names: ClusterNames
  isClusterAddress(address: string): boolean
  /** Further domains whose names the cluster's DNS is asked for, lower case. */
  includeDomains: readonly string[]
  /** Who dials, for the log: `proxy`. */
  by: string
}

/** Names and addresses of the cluster through the agent, all others as without kt. */
export class ClusterDialer implements Dialer {
  readonly #options: ClusterDialerOptions

  constructor(options: ClusterDialerOptions) {
    this.#options = options
  }

  /** Does the way to this name or address lead through the agent? */
  isCluster(host: string): boolean {
    const { names, isClusterAddress, includeDomains } = this.#options
    const name = plain(host)
    if (isIP(name)) return isClusterAddress(name)
    if (name === 'localhost' || name.endsWith('.localhost')) return false // RFC 6761 §6.3, whatever services are called
    return whose(name, names, isClusterAddress, includeDomains).kind !== 'foreign'
  }

  /** The addresses of a name of the cluster, both families; an address is its own. Rejects with a TunnelError: `not-found` or `closed`. */
  async lookup(host: string): Promise<string[]> {
    const name = plain(host)
    if (isIP(name)) return [name]
    const { resolver } = this.#options
    const [a, aaaa] = await Promise.all([resolver.explain(name, 'A'), resolver.explain(name, 'AAAA')])
    const records = [...(a?.records ?? []), ...(aaaa?.records ?? [])]
    const addresses = records.filter(({ type }) => type === 'A' || type === 'AAAA').map(({ data }) => data)
    if (addresses.length > 0) return addresses
    const isThere = a?.rcode === 'NOERROR' || a?.rcode === 'NXDOMAIN'
    throw new TunnelError(
      isThere ? 'not-found' : 'closed',
      `${host}: ${a?.rcode ?? 'not a name'} says the cluster's DNS`
    )
  }

  async dial(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    if (!this.isCluster(host)) return await DIRECT.dial(plain(host), port, signal)
    let failure = new TunnelError('not-found', `${host}: no address`)
    try {
      for (const address of (await this.lookup(host)).slice(0, MAX_ADDRESSES)) {
        try {
          const stream = await this.#tunnel().dial(address, port, signal === undefined ? {} : { signal })
          this.#trace('opened', 'tcp', host, port)
          return stream
        } catch (error) {
          failure = tunnelError(error, host)
          if (failure.reason !== 'refused' && failure.reason !== 'unreachable') break
        }
      }
    } catch (error) {
      failure = tunnelError(error, host)
    }
    this.#trace(failure.reason, 'tcp', host, port)
    throw failure
  }

  async datagrams(
    host: string,
    port: number,
    received: (bytes: Uint8Array) => void,
    closed: (reason: DatagramsEnd) => void
  ): Promise<Datagrams> {
    if (!this.isCluster(host)) return await DIRECT.datagrams(plain(host), port, received, closed)
    const [address = ''] = await this.lookup(host)
    this.#trace('opened', 'udp', host, port)
    return this.#tunnel().datagrams(address, port, received, closed)
  }

  #tunnel(): Tunnel {
    const { tunnel } = this.#options.link
    if (tunnel === undefined) throw new TunnelError('closed', 'no connection to the agent at the moment')
    return tunnel
  }

  #trace(event: string, network: 'tcp' | 'udp', host: string, port: number): void {
    if (!connectionTrace.hasSubscribers) return
    connectionTrace.publish({ event, network, source: this.#options.by, destination: `${host}:${port}` })
  }
}

/** As names and addresses are compared: lower case, without brackets, a final dot and a zone. */
function plain(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '')
    .replace(/\.$/, '')
}
