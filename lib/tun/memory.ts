// A device of plain memory: what is injected arrives, what is written is handed to a function. For tests and fuzzing.
import { BATCH_PACKETS, type Device, type Offload, type PacketBatch } from './device.ts'

/** Packets that wait while the device is paused; then they are dropped, as a kernel does. */
const QUEUE_PACKETS = 5000

export interface MemoryDeviceOptions {
  name?: string
  /** Default 1500. */
  mtu?: number
  /** Default true. */
  offload?: boolean
  /** Called for each packet written, with a copy of it. False: the device refuses it. */
  written(packet: Uint8Array, offload: Offload): boolean | undefined
}

/** A packet for `inject`, with its segment size if it is a super-segment. */
export interface InjectedPacket {
  packet: Uint8Array
  segmentSize?: number
}

export class MemoryDevice implements Device {
  readonly name: string
  readonly mtu: number
  readonly offload: boolean
  readonly headroom: number
  readonly #written: MemoryDeviceOptions['written']
  readonly #queue: InjectedPacket[] = []
  #received: ((batch: PacketBatch) => void) | undefined
  #lost: ((error: Error) => void) | undefined
  #paused: boolean = false

  constructor(options: MemoryDeviceOptions) {
    this.name = options.name ?? 'memory'
    this.mtu = options.mtu ?? 1500
    this.offload = options.offload ?? true
    this.headroom = this.offload ? 10 : 0
    this.#written = options.written
  }

  /** Hand packets to the reader: at once and in one batch, or when reading begins. The bytes are copied. */
  inject(...packets: (Uint8Array | InjectedPacket)[]): void {
    for (const one of packets) {
      if (this.#queue.length === QUEUE_PACKETS) break
      const { packet, segmentSize = 0 } = one instanceof Uint8Array ? { packet: one } : one
      this.#queue.push({ packet: new Uint8Array(packet), segmentSize })
    }
    this.#deliver()
  }

  /** Let the device go away, as `ip link del` does. */
  lose(error: Error): void {
    const lost = this.#lost
    this.#received = undefined
    this.#lost = undefined
    lost?.(error)
  }

  start(received: (batch: PacketBatch) => void, lost: (error: Error) => void): void {
    this.#received = received
    this.#lost = lost
    this.#deliver()
  }

  write(bytes: Uint8Array, start: number, end: number, offload: Offload): boolean {
    if (this.#received === undefined || end <= start) return false
    bytes.fill(0xee, start - this.headroom, start) // the headroom is the device's: nobody may count on it
    return this.#written(new Uint8Array(bytes.subarray(start, end)), { ...offload }) ?? true
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#deliver()
  }

  async close(): Promise<void> {
    this.#received = undefined
    this.#lost = undefined
    this.#queue.length = 0
  }

  #deliver(): void {
    while (!this.#paused && this.#received !== undefined && this.#queue.length > 0) {
      const batch = batchOf(this.#queue.splice(0, BATCH_PACKETS))
      this.#received(batch)
      batch.bytes.fill(0xee) // as a real device overwrites it: who has kept a view sees it
    }
  }
}

/** All packets in one piece of memory, as a real device has them. */
function batchOf(packets: readonly InjectedPacket[]): PacketBatch {
  // A Buffer, as a careless device has it: its `slice` does not copy.
  const bytes = Buffer.alloc(packets.reduce((sum, { packet }) => sum + packet.length, 0))
  const starts = new Uint32Array(packets.length)
  const ends = new Uint32Array(packets.length)
  const segmentSizes = new Uint16Array(packets.length)
  let at = 0
  for (const [i, { packet, segmentSize = 0 }] of packets.entries()) {
    bytes.set(packet, at)
    starts[i] = at
    at += packet.length
    ends[i] = at
    segmentSizes[i] = segmentSize
  }
  return { bytes, count: packets.length, starts, ends, segmentSizes }
}
