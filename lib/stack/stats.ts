// What a stack has counted since it was made. Plain fields: counting is an increment.

export interface StackStats {
  /** Packets and bytes that came from the device and were given to it, IP headers included. */
  packetsIn: number
  bytesIn: number
  packetsOut: number
  bytesOut: number
  /** Packets the device did not take. */
  refusedByDevice: number
  /** Packets that are no packets: a length that is too long, a header that is cut off. */
  malformed: number
  /** Packets that nobody here wants: multicast, router solicitations, protocols other than TCP, UDP and ICMP. */
  ignored: number
  /** Fragments that came, datagrams that were put together from them, and datagrams that were given up. */
  fragments: number
  reassembled: number
  fragmentsDropped: number
  /** SYNs that began a connection; those dropped because there were too many; connections that were accepted. */
  connections: number
  connectionsDropped: number
  accepted: number
  /** RSTs sent for segments of no known connection. */
  strayResets: number
  /** UDP flows that began; that had to give way to newer ones. */
  flows: number
  flowsEvicted: number
  /** Datagrams that came for a flow without a receiver, and datagrams too long to be sent. */
  datagramsDropped: number
}

export function newStats(): StackStats {
  return {
    packetsIn: 0,
    bytesIn: 0,
    packetsOut: 0,
    bytesOut: 0,
    refusedByDevice: 0,
    malformed: 0,
    ignored: 0,
    fragments: 0,
    reassembled: 0,
    fragmentsDropped: 0,
    connections: 0,
    connectionsDropped: 0,
    accepted: 0,
    strayResets: 0,
    flows: 0,
    flowsEvicted: 0,
    datagramsDropped: 0
  }
}
