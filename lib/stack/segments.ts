// The TCP half of the stack: segment → entry → endpoint, then everything that follows from it in one go.
import { Budget } from '../tcp/budget.ts'
import { Endpoint } from '../tcp/endpoint.ts'
import { seqAdd } from '../tcp/seq.ts'
import { type IpView, TCP } from '../wire/ip.ts'
import { ACK, HEADER_LENGTH, RST, SYN, TcpView } from '../wire/tcp.ts'
import { parseSynOptions } from '../wire/tcp-options.ts'
import { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { Deadlines } from './deadlines.ts'
import { type FlowFacts, tcpFacts } from './facts.ts'
import { Path } from './path.ts'
import { PendingConnection } from './pending.ts'
import { Table } from './table.ts'
import { TcpEntry } from './tcp-entry.ts'

/** Conversations at once, those in TIME-WAIT included; each costs about 3 KB when idle. More SYNs are dropped: Linux repeats them. */
export const MAX_CONNECTIONS = 16_384
/** SYNs whose answer is being asked for; each is a dial in the cluster. A burst of 1,000 connects must fit. */
export const MAX_PENDING = 4096
/** Linux gives up on a SYN after 127 s (tcp_syn_retries 6): from then on nobody waits for the answer. */
const PENDING_MS = 130_000
/** Memory all connections together may hold for text, in bytes; the program as a whole is to stay below 150 MB. */
const TEXT_BYTES = 48 * 1024 * 1024
/** Text in one super-segment: with its headers it must stay below 64 KiB. */
const MAX_SEGMENT_BYTES = 65_000
/** RFC 9293 §3.7.1: what a peer takes that does not say. */
const DEFAULT_MSS = { 4: 536, 6: 1220 } as const

export interface SegmentsOptions {
  core: Core
  mtu: number
  offload: boolean
  onConnection(pending: PendingConnection): void
}

export class Segments {
  readonly #core: Core
  readonly #mtu: number
  readonly #offload: boolean
  readonly #onConnection: (pending: PendingConnection) => void
  readonly #table = new Table<TcpEntry>()
  readonly #deadlines = new Deadlines<TcpEntry>()
  readonly #budget = new Budget(TEXT_BYTES)
  readonly #view = new TcpView()
  #dirty: TcpEntry[] = []
  #pending = 0

  constructor({ core, mtu, offload, onConnection }: SegmentsOptions) {
    this.#core = core
    this.#mtu = mtu
    this.#offload = offload
    this.#onConnection = onConnection
  }

  /** Conversations in the table. */
  get size(): number {
    return this.#table.size
  }

  /** Each conversation in the table. */
  facts(): FlowFacts[] {
    return this.#table.all().map(tcpFacts)
  }

  /** When `timeout` is next due. */
  get deadline(): number {
    return this.#deadlines.earliest
  }

  /** A packet with protocol TCP has arrived. */
  arrive(packet: IpView, now: number): void {
    const seg = this.#view
    if (!seg.wrap(packet.bytes, packet.payload, packet.end)) {
      this.#core.stats.malformed++
      return
    }
    const entry = this.#table.find(packet, seg.sourcePort, seg.destinationPort)
    if (entry === undefined) this.#stray(packet, seg, now)
    else if (entry.endpoint === undefined) this.#pendingArrives(entry, packet, seg, now)
    else this.#endpointArrives(entry, entry.endpoint, packet, seg, now)
  }

  /** Serve all endpoints whose time is up. */
  timeout(now: number): void {
    for (let entry = this.#deadlines.due(now); entry !== undefined; entry = this.#deadlines.due(now)) {
      if (entry.endpoint === undefined) {
        this.#forgetPending(entry, 'gone')
        continue
      }
      entry.endpoint.timeout(now)
      this.#touch(entry)
      // Not before it was settled, but never out of the heap with a deadline.
      this.#deadlines.update(entry)
    }
  }

  /** Let everything that was touched read, write and transmit, once per entry. */
  settle(now: number): void {
    // What a reader does while it is called may touch more entries: they come behind.
    for (let dirty = this.#dirty; dirty.length > 0; dirty = this.#dirty) {
      this.#dirty = []
      for (const entry of dirty) {
        entry.dirty = false
        this.#settle(entry, now)
      }
    }
  }

  /** RST to everybody, and nobody is left. */
  close(now: number): void {
    for (const entry of this.#table.all()) {
      if (entry.endpoint === undefined) {
        this.#forgetPending(entry, 'gone')
      } else {
        entry.endpoint.abort(now)
        this.#touch(entry)
      }
    }
    this.settle(now)
  }

  #endpointArrives(entry: TcpEntry, endpoint: Endpoint, packet: IpView, seg: TcpView, now: number): void {
    if (endpoint.yieldsTo(seg)) {
      this.#remove(entry)
      this.#open(packet, seg, now)
      return
    }
    endpoint.segmentArrives(seg, now)
    this.#touch(entry)
  }

  #pendingArrives(entry: TcpEntry, packet: IpView, seg: TcpView, now: number): void {
    if (seg.has(RST)) {
      if (seg.seq === seqAdd(entry.syn.seq, 1)) this.#forgetPending(entry, 'gone')
    } else if (seg.has(SYN) && seg.seq !== entry.syn.seq) {
      // The application gave up and begins anew from the same port.
      this.#forgetPending(entry, 'gone')
      this.#open(packet, seg, now)
    }
    // Else the same SYN once more: the answer is under way.
  }

  /** A segment of no conversation (RFC 9293 §3.10.7.1 and §3.10.7.2). */
  #stray(packet: IpView, seg: TcpView, now: number): void {
    if (seg.has(RST) || !packet.unicast) return
    if (seg.has(SYN) && !seg.has(ACK)) {
      this.#open(packet, seg, now)
      return
    }
    this.#core.stats.strayResets++
    const path = new Path(packet, seg.sourcePort, seg.destinationPort)
    if (seg.has(ACK)) this.#sendReset(path, seg.ack, 0, RST)
    else this.#sendReset(path, 0, seqAdd(seg.seq, seg.len), RST | ACK)
  }

  #open(packet: IpView, seg: TcpView, now: number): void {
    const { stats } = this.#core
    if (this.#table.size >= MAX_CONNECTIONS || this.#pending >= MAX_PENDING) {
      stats.connectionsDropped++
      return
    }
    stats.connections++
    const path = new Path(packet, seg.sourcePort, seg.destinationPort)
    const entry = new TcpEntry(path, { ...parseSynOptions(seg), seq: seg.seq, wnd: seg.wnd })
    const pending = new PendingConnection(path, {
      accept: () => this.#accept(entry),
      refuse: () => {
        if (this.#forgetPending(entry, 'decided')) this.#sendReset(path, 0, seqAdd(entry.syn.seq, 1), RST | ACK)
      },
      unreachable: () => {
        if (this.#forgetPending(entry, 'decided')) this.#core.output.sendUnreachable(path, 'host', TCP, entry.syn.seq)
      },
      drop: () => {
        this.#forgetPending(entry, 'decided')
      }
    })
    entry.pending = pending
    entry.pendingUntil = now + PENDING_MS
    this.#pending++
    this.#table.add(entry)
    this.#deadlines.update(entry)
    this.#onConnection(pending)
  }

  #accept(entry: TcpEntry): Connection {
    const core = this.#core
    const { path, syn } = entry
    if (entry.connection !== undefined) return entry.connection
    const { version } = path
    // RFC 9293 §3.7.1: the MTU less the fixed headers.
    const ownMss = this.#mtu - path.headerLength - HEADER_LENGTH
    const endpoint = new Endpoint({
      iss: core.random() | 0,
      irs: syn.seq,
      wnd: syn.wnd,
      mss: syn.mss ?? DEFAULT_MSS[version],
      windowScale: syn.windowScale,
      ownMss,
      maxSegment: this.#offload ? MAX_SEGMENT_BYTES : ownMss,
      budget: this.#budget
    })
    const connection = new Connection(path, endpoint, {
      now: () => core.clock.now(),
      touched: () => this.#touch(entry)
    })
    entry.endpoint = endpoint
    entry.connection = connection
    if (!entry.alive) {
      connection.destroy()
      return connection
    }
    core.stats.accepted++
    entry.pending = undefined
    this.#pending--
    this.#touch(entry)
    return connection
  }

  /** End a pending entry. False if it is none any more: someone has decided already. */
  #forgetPending(entry: TcpEntry, why: 'decided' | 'gone'): boolean {
    const { pending } = entry
    if (pending === undefined) return false
    entry.pending = undefined
    this.#pending--
    this.#remove(entry)
    if (why === 'gone') pending.onGone?.()
    return true
  }

  #remove(entry: TcpEntry): void {
    if (!entry.alive) return
    entry.alive = false
    this.#core.ended?.(tcpFacts(entry))
    this.#table.remove(entry)
    this.#deadlines.remove(entry)
  }

  #touch(entry: TcpEntry): void {
    if (entry.dirty || !entry.alive) return
    entry.dirty = true
    this.#dirty.push(entry)
    this.#core.wake()
  }

  /** First the reader, so that the ACK that follows carries the window which that has made. */
  #settle(entry: TcpEntry, now: number): void {
    const { endpoint, connection, path } = entry
    if (endpoint === undefined || connection === undefined || !entry.alive) return
    connection.advance()
    const { output } = this.#core
    while (endpoint.transmit(output.segmentFor(path), path.destinationPort, path.sourcePort, now)) {
      output.sendSegment(path, endpoint.mss)
    }
    if (endpoint.state === 'CLOSED') {
      this.#remove(entry)
      // Once more: a time-out may have closed it in between, and the reader may have something left to read.
      connection.advance()
    } else {
      this.#deadlines.update(entry)
    }
  }

  #sendReset(path: Path, seq: number, ack: number, flags: number): void {
    const { output } = this.#core
    const view = output.segmentFor(path)
    view.end = view.start + HEADER_LENGTH
    view.emit(path.destinationPort, path.sourcePort, seq, ack, flags, 0, 0)
    output.sendSegment(path, 0)
  }
}
