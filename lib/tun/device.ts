// A network device that hands IP packets to this process, in batches. One file per platform implements it.

/** Packets of one wake-up. Everything in it is reused after the callback returns: copy what must stay. */
export interface PacketBatch {
  /** The memory all packets of the batch lie in. */
  readonly bytes: Uint8Array
  /** Number of packets. */
  count: number
  /** Packet i lies in `bytes[starts[i], ends[i])`, from its IP header on. */
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  /**
   * 0, or, with offload, the payload bytes per segment of a packet which the kernel has not cut up (virtio `gso_size`).
   * A TCP super-segment can be taken whole; a UDP one is several datagrams of this size each.
   */
  readonly segmentSizes: Uint16Array
}

/** Bytes read in one wake-up; then the timers and the other sockets have their turn. */
export const BATCH_BYTES = 1 << 20
/** Packets read in one wake-up. */
export const BATCH_PACKETS = 256

/** A batch to fill again and again, of packets that lie in `bytes`. */
export function emptyBatch(bytes: Uint8Array): PacketBatch {
  return {
    bytes,
    count: 0,
    starts: new Uint32Array(BATCH_PACKETS),
    ends: new Uint32Array(BATCH_PACKETS),
    segmentSizes: new Uint16Array(BATCH_PACKETS)
  }
}

/** What the device is to finish in a packet that is written. Without offload all fields are ignored and must be 0. */
export interface Offload {
  /** Where the transport header begins, counted from the IP header; 0: the checksum is already complete. */
  checksumStart: number
  /** Where the checksum field lies in the transport header: 16 for TCP, 6 for UDP. The field holds the folded pseudo-header sum, not inverted. */
  checksumOffset: number
  /** TCP payload bytes per segment when the packet is to be cut up, else 0. */
  segmentSize: number
  /** Length of IP and transport header together. */
  headerLength: number
}

export interface Device {
  readonly name: string
  /** Largest IP packet without segmentation, in bytes. */
  readonly mtu: number
  /** True: packets up to 65,535 bytes with `Offload` may be written, and super-segments arrive. */
  readonly offload: boolean
  /** Bytes in front of each written packet that belong to the device. */
  readonly headroom: number
  /** Begin to read. `lost` is called at most once, when the device is gone for good. */
  start(received: (batch: PacketBatch) => void, lost: (error: Error) => void): void
  /**
   * Write the packet `bytes[start, end)`; `bytes[start - headroom, start)` is overwritten. Never blocks, keeps nothing.
   * False: the kernel did not take it (the caller goes on as if the packet was lost on the way).
   */
  write(bytes: Uint8Array, start: number, end: number, offload: Offload): boolean
  /** Stop reading until `resume`; the kernel queues, then drops. */
  pause(): void
  resume(): void
  close(): Promise<void>
}
