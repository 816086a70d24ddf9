// A capture of what goes through the TUN of a running session: pcapng, with the cluster's names.
import type { PacketSeen } from '../tun/tracer.ts'
import { version } from '../version.ts'
import { parseAddress } from '../wire/address.ts'
import { ICMP, ICMPV6, IpView, TCP, UDP } from '../wire/ip.ts'
import { pcapngHeader, pcapngName, pcapngPacket } from '../wire/pcapng.ts'
import { TcpView } from '../wire/tcp.ts'
import { UdpView } from '../wire/udp.ts'
import { type PacketFacts, parseFilter } from './capture-filter.ts'

/** What can be captured. */
export interface Capturable {
  device: string
  /** Told of each packet while it is in there. */
  listeners: Set<PacketSeen>
  /** Full name of an address, if it is known. */
  nameOf(address: string): string | undefined
}

/** Names are written once each; past this the packets have them in their comments only. */
const NAMES_MAX = 10_000

/** Write what passes `filter` to `write` until the result is called. What `write` refuses (false) is lost to the capture alone. Throws KT_USAGE. */
export function startCapture(from: Capturable, filter: string, write: (bytes: Uint8Array) => boolean): () => void {
  const passes = parseFilter(filter, from.nameOf)
  const named = new Set<string>()
  const ip = new IpView()
  write(pcapngHeader(`kt ${version}`, from.device))
  const listener: PacketSeen = (direction, bytes, start, end) => {
    const facts = factsOf(ip, bytes, start, end)
    if (!passes(facts)) return
    for (const address of [facts.source, facts.destination]) {
      const name = named.has(address) || named.size >= NAMES_MAX ? undefined : from.nameOf(address)
      const raw = name === undefined ? undefined : parseAddress(address)
      if (name === undefined || raw === undefined) continue
      named.add(address)
      write(pcapngName(raw, [name]))
    }
    // What comes from the kernel, the laptop sends: seen from there it goes out.
    const seen = direction === 'in' ? 'out' : 'in'
    write(
      pcapngPacket({
        bytes,
        start,
        end,
        timeMs: performance.timeOrigin + performance.now(),
        direction: seen,
        comment: comment(facts, from)
      })
    )
  }
  from.listeners.add(listener)
  return () => from.listeners.delete(listener)
}

function factsOf(ip: IpView, bytes: Uint8Array, start: number, end: number): PacketFacts {
  if (!ip.wrap(bytes, start, end))
    return { network: 'other', source: '', destination: '', sourcePort: 0, destinationPort: 0 }
  const { source, destination } = ip
  const transport = ip.protocol === TCP ? new TcpView() : ip.protocol === UDP ? new UdpView() : undefined
  const network = ip.protocol === ICMP || ip.protocol === ICMPV6 ? 'icmp' : 'other'
  if (transport === undefined || ip.fragmented || !transport.wrap(bytes, ip.payload, ip.end))
    return { network, source, destination, sourcePort: 0, destinationPort: 0 }
  const { sourcePort, destinationPort } = transport
  return { network: ip.protocol === TCP ? 'tcp' : 'udp', source, destination, sourcePort, destinationPort }
}

/** `nginx.demo.svc.cluster.local:80`, whichever end has a name. */
function comment({ source, destination, sourcePort, destinationPort }: PacketFacts, { nameOf }: Capturable): string {
  const end = (address: string, port: number): string => {
    const name = nameOf(address)
    return name === undefined ? '' : `${name}${port === 0 ? '' : `:${port}`}`
  }
  return end(destination, destinationPort) || end(source, sourcePort)
}
