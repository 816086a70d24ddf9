// Packets ↔ conversations: the userspace TCP/IP of kt. It answers for every address that is routed into its device, asks its
// owner about each conversation that begins, and is the only part of the packet path that knows a clock.
import type { Device, PacketBatch } from '../tun/device.ts'
import { ICMP, ICMPV6, IpView, TCP, UDP } from '../wire/ip.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Core } from './core.ts'
import { Datagrams } from './datagrams.ts'
import { type EchoRequest, icmpArrives } from './echo.ts'
import type { FlowFacts } from './facts.ts'
import { Output } from './output.ts'
import type { PendingConnection } from './pending.ts'
import { Reassembly } from './reassembly.ts'
import { Segments } from './segments.ts'
import { newStats, type StackStats } from './stats.ts'
import type { UdpFlow } from './udp-flow.ts'

export interface StackOptions {
  device: Device
  /** Default: the system's monotonic clock. */
  clock?: Clock
  /** 32 random bits; default: from the system's generator. */
  random?: () => number
  /** Someone connects. Nothing is answered before `pending` was told what to answer. */
  onConnection(pending: PendingConnection): void
  /** The first datagram of a flow has come; it is handed to `flow.onDatagram` when this returns. */
  onFlow(flow: UdpFlow): void
  /** Someone pings. */
  onEcho(echo: EchoRequest): void
}

/** Callbacks run inside the loop over packets: they must not throw, and should not work long. */
export class Stack {
  readonly stats: StackStats = newStats()
  /** Resolves when the device is gone for good; never, if `close` comes first. */
  readonly lost: Promise<Error>
  readonly #device: Device
  readonly #clock: Clock
  readonly #segments: Segments
  readonly #datagrams: Datagrams
  readonly #reassembly: Reassembly
  readonly #core: Core
  readonly #onEcho: (echo: EchoRequest) => void
  readonly #packet = new IpView()
  readonly #whole = new IpView()
  readonly #tellLost: (error: Error) => void
  #inBatch: boolean = false
  #closed: boolean = false
  #wakeup: NodeJS.Immediate | undefined
  /** The one timer: when it fires, and how to cancel it. */
  #timerAt = Infinity
  #cancelTimer: () => void = () => {}

  constructor({ device, clock = systemClock, random = random32, onConnection, onFlow, onEcho }: StackOptions) {
    const { promise, resolve } = Promise.withResolvers<Error>()
    this.lost = promise
    this.#tellLost = resolve
    this.#device = device
    this.#clock = clock
    this.#onEcho = onEcho
    const { stats } = this
    const output = new Output(device, stats)
    const core: Core = { clock, random, stats, output, wake: () => this.#wake(), ended: undefined }
    this.#core = core
    this.#segments = new Segments({ core, mtu: device.mtu, offload: device.offload, onConnection })
    this.#datagrams = new Datagrams(core, onFlow)
    this.#reassembly = new Reassembly(stats)
  }

  /** Conversations at this moment. */
  get size(): { connections: number; flows: number } {
    return { connections: this.#segments.size, flows: this.#datagrams.size }
  }

  /** Each conversation at this moment, those in TIME-WAIT included. */
  flows(): FlowFacts[] {
    return [...this.#segments.facts(), ...this.#datagrams.facts()]
  }

  /** Told of each conversation that is over, with its last figures; called inside the loop over packets. */
  set onEnded(listener: ((flow: FlowFacts) => void) | undefined) {
    this.#core.ended = listener
  }

  /** Begin to read from the device. */
  start(): void {
    this.#device.start(
      batch => this.#received(batch),
      error => this.#tellLost(error)
    )
  }

  /** RST to all connections, an end to all flows and timers. The device stays open, but what comes from it is not read. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#inBatch = true // nothing is to be settled later
    this.#segments.close(this.#clock.now())
    this.#datagrams.close()
    this.#closed = true
    this.#cancelTimer()
    if (this.#wakeup !== undefined) clearImmediate(this.#wakeup)
  }

  #received(batch: PacketBatch): void {
    if (this.#closed) return
    const now = this.#clock.now()
    const { bytes, count, starts, ends, segmentSizes } = batch
    this.#inBatch = true
    for (let i = 0; i < count; i++) this.#packetArrives(bytes, starts[i]!, ends[i]!, segmentSizes[i]!, now)
    this.#inBatch = false
    this.#settle(now)
  }

  #packetArrives(bytes: Uint8Array, start: number, end: number, segmentSize: number, now: number): void {
    const { stats } = this
    const packet = this.#packet
    stats.packetsIn++
    stats.bytesIn += end - start
    if (!packet.wrap(bytes, start, end)) {
      stats.malformed++
      return
    }
    if (!packet.fragmented) {
      this.#dispatch(packet, segmentSize, now)
      return
    }
    const whole = this.#reassembly.arrive(packet, now)
    if (whole === undefined) return
    if (this.#whole.wrap(whole.bytes, whole.start, whole.end) && !this.#whole.fragmented)
      this.#dispatch(this.#whole, 0, now)
    else stats.malformed++
  }

  #dispatch(packet: IpView, segmentSize: number, now: number): void {
    const { protocol } = packet
    if (protocol === TCP) this.#segments.arrive(packet, now)
    else if (protocol === UDP) this.#datagrams.arrive(packet, segmentSize, now)
    else if (protocol === (packet.version === 4 ? ICMP : ICMPV6)) icmpArrives(this.#core, packet, this.#onEcho)
    else this.stats.ignored++
  }

  /** Something outside of a batch, a write or a decision, asks for `settle`: once for all that happens in this turn of the loop. */
  #wake(): void {
    if (this.#inBatch || this.#closed || this.#wakeup !== undefined) return
    this.#wakeup = setImmediate(() => {
      this.#wakeup = undefined
      this.#settle(this.#clock.now())
    })
  }

  #settle(now: number): void {
    this.#inBatch = true
    this.#segments.settle(now)
    this.#inBatch = false
    this.#schedule()
  }

  /** One timer for the earliest deadline. One that fires too early costs less than one moved for every ACK. */
  #schedule(): void {
    const at = Math.min(this.#segments.deadline, this.#datagrams.deadline, this.#reassembly.deadline)
    if (at >= this.#timerAt || this.#closed) return
    this.#cancelTimer()
    this.#timerAt = at
    this.#cancelTimer = this.#clock.at(at, () => this.#timeout())
  }

  #timeout(): void {
    this.#timerAt = Infinity
    const now = this.#clock.now()
    this.#inBatch = true
    this.#segments.timeout(now)
    this.#datagrams.timeout(now)
    this.#reassembly.timeout(now)
    this.#settle(now)
  }
}

/** Taken from the system some at a time: asking takes a microsecond or two of each new connection. */
const randoms = new Int32Array(64)
let unusedRandoms = 0

function random32(): number {
  if (unusedRandoms === 0) {
    crypto.getRandomValues(randoms)
    unusedRandoms = randoms.length
  }
  unusedRandoms -= 1
  return randoms[unusedRandoms]!
}
