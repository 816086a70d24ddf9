// The UDP half of the stack: datagram → flow, and back.
import { Flows } from '../udp/flows.ts'
import { type IpView, UDP } from '../wire/ip.ts'
import { UdpView } from '../wire/udp.ts'
import type { Core } from './core.ts'
import { type FlowFacts, udpFacts } from './facts.ts'
import { Path } from './path.ts'
import { Table } from './table.ts'
import { UdpFlow, type UdpFlowActions } from './udp-flow.ts'

export class Datagrams {
  readonly #core: Core
  readonly #onFlow: (flow: UdpFlow) => void
  readonly #table = new Table<UdpFlow>()
  readonly #flows = new Flows<UdpFlow>()
  readonly #view = new UdpView()
  readonly #actions: UdpFlowActions = {
    send: (flow, bytes) => this.#send(flow, bytes),
    unreachable: flow => this.#core.output.sendUnreachable(flow.path, 'port', UDP, 0),
    close: flow => {
      if (!this.#table.remove(flow)) return
      this.#flows.remove(flow)
      this.#core.ended?.(udpFacts(flow))
    }
  }

  constructor(core: Core, onFlow: (flow: UdpFlow) => void) {
    this.#core = core
    this.#onFlow = onFlow
  }

  /** Flows in the table. */
  get size(): number {
    return this.#flows.size
  }

  /** Each flow in the table. */
  facts(): FlowFacts[] {
    return this.#table.all().map(udpFacts)
  }

  /** When `timeout` is next due. */
  get deadline(): number {
    return this.#flows.deadline
  }

  /** A packet with protocol UDP has arrived; `segmentSize` is not 0 if it is several datagrams of that size. */
  arrive(packet: IpView, segmentSize: number, now: number): void {
    const { stats } = this.#core
    const view = this.#view
    if (!view.wrap(packet.bytes, packet.payload, packet.end)) {
      stats.malformed++
      return
    }
    if (!packet.unicast || view.destinationPort === 0) {
      stats.ignored++
      return
    }
    const { bytes, payload, end } = view
    let flow = this.#table.find(packet, view.sourcePort, view.destinationPort)
    if (flow === undefined) flow = this.#open(new Path(packet, view.sourcePort, view.destinationPort), now)
    else this.#flows.touch(flow, now)
    const step = segmentSize === 0 ? Infinity : segmentSize
    let from = payload
    flow.bytesIn += end - payload
    // An empty datagram is a datagram.
    do {
      const to = Math.min(from + step, end)
      if (flow.onDatagram === undefined) stats.datagramsDropped++
      else flow.onDatagram(new Uint8Array(bytes.subarray(from, to)))
      from = to
    } while (from < end)
  }

  /** End the flows whose time is up. */
  timeout(now: number): void {
    for (let flow = this.#flows.expired(now); flow !== undefined; flow = this.#flows.expired(now)) this.#ended(flow)
  }

  /** End all flows. */
  close(): void {
    this.timeout(Infinity)
  }

  #open(path: Path, now: number): UdpFlow {
    const { stats } = this.#core
    stats.flows++
    const flow = new UdpFlow(path, this.#actions)
    this.#table.add(flow)
    const evicted = this.#flows.add(flow, now)
    if (evicted !== undefined) {
      stats.flowsEvicted++
      this.#ended(evicted)
    }
    this.#core.wake() // there is a new deadline
    this.#onFlow(flow)
    return flow
  }

  /** Gone from `flows` already. */
  #ended(flow: UdpFlow): void {
    this.#table.remove(flow)
    this.#core.ended?.(udpFacts(flow))
    flow.onDatagram = undefined
    flow.onClose?.()
  }

  #send(flow: UdpFlow, bytes: Uint8Array): boolean {
    const { stats, output, clock } = this.#core
    if (!this.#table.has(flow)) return false
    if (!output.sendDatagram(flow.path, bytes)) {
      stats.datagramsDropped++
      return false
    }
    flow.bytesOut += bytes.length
    this.#flows.touch(flow, clock.now())
    return true
  }
}
