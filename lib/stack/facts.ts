// What can be told of a conversation at any moment, for whoever looks: nothing is kept for it beside what the conversation needs itself.
import type { State } from '../tcp/state.ts'
import type { TcpEntry } from './tcp-entry.ts'
import type { UdpFlow } from './udp-flow.ts'

/** One conversation between a port of the laptop and a port of the cluster. Bytes are those of text or datagrams, without headers. */
export interface FlowFacts {
  network: 'tcp' | 'udp'
  source: string
  sourcePort: number
  destination: string
  destinationPort: number
  /** What the laptop's program has sent, and what it has taken. */
  sentBytes: number
  receivedBytes: number
  /** Smoothed round trip between the laptop's kernel and us, ms; 0 before the first sample and for UDP. */
  roundTripMs: number
  /** Segments that we have sent again. */
  retransmits: number
  /** `DIALLING`: the far side is being asked. UDP is `OPEN`. */
  state: State | 'DIALLING' | 'OPEN'
}

export function tcpFacts({ path, endpoint }: TcpEntry): FlowFacts {
  return {
    network: 'tcp',
    source: path.source,
    sourcePort: path.sourcePort,
    destination: path.destination,
    destinationPort: path.destinationPort,
    sentBytes: endpoint?.bytesIn ?? 0,
    receivedBytes: endpoint?.bytesOut ?? 0,
    roundTripMs: endpoint?.srttMs ?? 0,
    retransmits: endpoint?.retransmits ?? 0,
    state: endpoint?.state ?? 'DIALLING'
  }
}

export function udpFacts({ path, bytesIn, bytesOut }: UdpFlow): FlowFacts {
  return {
    network: 'udp',
    source: path.source,
    sourcePort: path.sourcePort,
    destination: path.destination,
    destinationPort: path.destinationPort,
    sentBytes: bytesIn,
    receivedBytes: bytesOut,
    roundTripMs: 0,
    retransmits: 0,
    state: 'OPEN'
  }
}
