// Any packet as one line in tcpdump's manner: for `--debug`, for tests that fail, for snapshots.
import { u16, u32 } from './bytes.ts'
import { ECHO_REPLY, ECHO_REQUEST, IcmpView } from './icmp.ts'
import { ICMP, ICMPV6, IpView, TCP, UDP } from './ip.ts'
import { ACK, FIN, PSH, RST, SYN, TcpView } from './tcp.ts'
import { parseSynOptions } from './tcp-options.ts'
import { UdpView } from './udp.ts'

const FLAG_LETTERS: readonly (readonly [string, number])[] = [
  ['S', SYN],
  ['F', FIN],
  ['R', RST],
  ['P', PSH],
  ['.', ACK]
]

/** One line without a newline for the packet in `bytes[start, end)`, whatever lies there. */
export function printPacket(bytes: Uint8Array, start: number, end: number): string {
  const ip = new IpView()
  if (!ip.wrap(bytes, start, end)) return `malformed packet, length ${end - start}`
  const name = ip.version === 4 ? 'IP' : 'IP6'
  if (ip.fragmented) {
    const { identification, fragmentOffset, moreFragments } = ip.version === 4 ? ip.v4 : ip.v6
    const last = moreFragments ? '+' : ''
    return `${name} ${ip.source} > ${ip.destination}: fragment ${identification}:${ip.end - ip.payload}@${fragmentOffset}${last}`
  }
  if (ip.protocol === TCP) return `${name} ${printTcp(ip)}`
  if (ip.protocol === UDP) return `${name} ${printUdp(ip)}`
  const to = `${name} ${ip.source} > ${ip.destination}:`
  if (ip.protocol === (ip.version === 4 ? ICMP : ICMPV6)) return `${to} ${printIcmp(ip)}`
  return `${to} protocol ${ip.protocol}, length ${ip.end - ip.payload}`
}

function printTcp(ip: IpView): string {
  const seg = new TcpView()
  if (!seg.wrap(ip.bytes, ip.payload, ip.end)) return `${ip.source} > ${ip.destination}: malformed TCP`
  const letters = FLAG_LETTERS.filter(([, bit]) => seg.has(bit)).map(([letter]) => letter)
  const parts = [`Flags [${letters.join('') || 'none'}]`]
  const seq = seg.seq >>> 0
  const text = seg.textLength
  if (text > 0) parts.push(`seq ${seq}:${(seq + text) >>> 0}`)
  else if (seg.has(SYN) || seg.has(FIN) || seg.has(RST)) parts.push(`seq ${seq}`)
  if (seg.has(ACK)) parts.push(`ack ${seg.ack >>> 0}`)
  parts.push(`win ${seg.wnd}`)
  if (seg.has(SYN)) parts.push(`options [${printSynOptions(seg)}]`)
  parts.push(`length ${text}`)
  return `${ip.source}.${seg.sourcePort} > ${ip.destination}.${seg.destinationPort}: ${parts.join(', ')}`
}

function printSynOptions(seg: TcpView): string {
  const { mss, windowScale, sackPermitted, timestamp } = parseSynOptions(seg)
  const shown: string[] = []
  if (mss !== undefined) shown.push(`mss ${mss}`)
  if (sackPermitted) shown.push('sackOK')
  if (timestamp !== undefined) shown.push('TS')
  if (windowScale !== undefined) shown.push(`wscale ${windowScale}`)
  return shown.join(',')
}

function printUdp(ip: IpView): string {
  const datagram = new UdpView()
  if (!datagram.wrap(ip.bytes, ip.payload, ip.end)) return `${ip.source} > ${ip.destination}: malformed UDP`
  const { sourcePort, destinationPort, payload, end } = datagram
  return `${ip.source}.${sourcePort} > ${ip.destination}.${destinationPort}: UDP, length ${end - payload}`
}

function printIcmp(ip: IpView): string {
  const message = new IcmpView()
  const name = ip.version === 4 ? 'ICMP' : 'ICMP6'
  if (!message.wrap(ip.bytes, ip.payload, ip.end)) return `malformed ${name}`
  const length = `length ${ip.end - ip.payload}`
  const { type, code, identifier, sequence } = message
  if (type === ECHO_REQUEST[ip.version]) return `${name} echo request, id ${identifier}, seq ${sequence}, ${length}`
  if (type === ECHO_REPLY[ip.version]) return `${name} echo reply, id ${identifier}, seq ${sequence}, ${length}`
  // "Too big" carries the MTU that would fit: RFC 1191 §4, RFC 4443 §3.2.
  if (ip.version === 4 && type === 3 && code === 4) {
    return `${name} fragmentation needed, mtu ${u16(message.bytes, message.start + 6)}, ${length}`
  }
  if (ip.version === 6 && type === 2)
    return `${name} packet too big, mtu ${u32(message.bytes, message.start + 4)}, ${length}`
  if (type === (ip.version === 4 ? 3 : 1)) return `${name} unreachable, code ${code}, ${length}`
  return `${name} type ${type}, code ${code}, ${length}`
}
