// UDP at an exposed port: one flow for each caller, to the laptop or to an original pod. spec.md, "Accepted".
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { MuxResetError } from '../lib/mux/stream.ts'
import { DatagramDecoder, MAX_QUEUED_BYTES, sendDatagram } from '../lib/tunnel/datagrams.ts'
import type { ExposePort } from '../lib/tunnel/expose.ts'
import { decodeVerdict, encodeRequest, type Verdict } from '../lib/tunnel/request.ts'
import { canonical } from './address.ts'
import type { Laptop } from './laptop.ts'
import type { Originals } from './originals.ts'

/** A flow without a datagram in either direction ends after this, ms. */
const IDLE_MS = 60_000
const SWEEP_MS = 10_000
/** Flows at a time over all ports: with as many connections, all the streams of a session. */
const MAX_FLOWS = 4_096
/** Datagrams kept while nobody has answered: a question, and its repetitions. */
const MAX_KEPT = 8

export interface FlowsOptions {
  exposed: ExposePort
  /** Where callers' datagrams come in, and where answers leave. */
  socket: Socket
  /** The pod's address, for the laptop: a UDP socket does not tell which one was called. */
  destination(family: 4 | 6): string
  laptop: Laptop
  originals: Originals
  graceMs: number
}

let flowsInAll = 0

/** The flows of one port. */
export class Flows {
  readonly #options: FlowsOptions
  /** By caller, the one that has been silent for longest first. */
  readonly #flows = new Map<string, Flow>()
  readonly #sweep: NodeJS.Timeout

  constructor(options: FlowsOptions) {
    this.#options = options
    options.socket.on('message', (bytes, from) => this.#arrive(bytes, from))
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS).unref()
  }

  get size(): number {
    return this.#flows.size
  }

  /** The laptop is there again: what is its own comes back to it with the next datagram. */
  comeBack(): void {
    if (this.#options.exposed.to === 'originals') return
    for (const flow of this.#flows.values()) if (flow.atOriginals) flow.close()
  }

  /** The laptop is not there any more: what it has not answered goes to the originals, the rest with the caller's next datagram. */
  abandon(): void {
    for (const flow of [...this.#flows.values()]) flow.abandon()
  }

  close(): void {
    clearInterval(this.#sweep)
    for (const flow of this.#flows.values()) flow.close()
  }

  #arrive(bytes: Uint8Array, from: RemoteInfo): void {
    const key = `${from.address} ${from.port}`
    let flow = this.#flows.get(key)
    this.#flows.delete(key)
    if (flow === undefined) {
      if (flowsInAll >= MAX_FLOWS) this.#oldest()?.close()
      if (flowsInAll >= MAX_FLOWS) return // all are at other ports: dropped, as a router would
      flowsInAll += 1
      flow = new Flow(this.#options, from, () => {
        flowsInAll -= 1
        this.#flows.delete(key)
      })
    }
    this.#flows.set(key, flow)
    flow.arrive(bytes)
  }

  #oldest(): Flow | undefined {
    return this.#flows.values().next().value
  }

  #expire(): void {
    const before = performance.now() - IDLE_MS
    for (const flow of this.#flows.values()) if (flow.usedAt < before) flow.close()
  }
}

/** Who gets the datagrams of a flow. */
interface Target {
  send(bytes: Uint8Array): void
  close(): void
}

class Flow {
  readonly #options: FlowsOptions
  readonly #caller: RemoteInfo
  readonly #closed: () => void
  #target: Target | undefined
  /** What nobody has answered; undefined once somebody has. */
  #kept: Uint8Array[] | undefined = []
  #over = false
  atOriginals = false
  usedAt = 0

  constructor(options: FlowsOptions, caller: RemoteInfo, closed: () => void) {
    this.#options = options
    this.#caller = caller
    this.#closed = closed
    const session = options.exposed.to === 'laptop' ? options.laptop.session : undefined
    if (session === undefined) void this.#toOriginals()
    else this.#target = this.#toLaptop(session)
  }

  /** A datagram from the caller. */
  arrive(bytes: Uint8Array): void {
    this.usedAt = performance.now()
    if (this.#kept !== undefined && this.#kept.length < MAX_KEPT) this.#kept.push(bytes)
    this.#target?.send(bytes)
  }

  close(): void {
    if (this.#over) return
    this.#over = true
    this.#target?.close()
    this.#closed()
  }

  abandon(): void {
    if (!this.atOriginals) this.#failed(true)
  }

  #answer(bytes: Uint8Array): void {
    this.#kept = undefined
    this.usedAt = performance.now()
    this.#options.socket.send(bytes, this.#caller.port, this.#caller.address, () => {}) // a caller that has gone is no fault
  }

  /** The target has ended: give what nobody has answered to the originals, or let the caller's next datagram begin anew. */
  #failed(passOn: boolean): void {
    if (this.#over) return
    this.#target?.close()
    this.#target = undefined
    if (passOn && this.#kept !== undefined && this.#options.originals.exist) void this.#toOriginals()
    else this.close()
  }

  #toLaptop(session: NonNullable<Laptop['session']>): Target {
    const { exposed, laptop, graceMs, destination } = this.#options
    const receivedBytes = session.stats.receivedBytes
    const stream = session.open(
      encodeRequest({
        kind: 'accepted',
        network: 'udp',
        port: exposed.port,
        source: canonical(this.#caller.address),
        sourcePort: this.#caller.port,
        destination: destination(isIPv6(canonical(this.#caller.address)) ? 6 : 4)
      })
    )
    const decoder = new DatagramDecoder(bytes => this.#answer(bytes))
    let verdict: Verdict | undefined
    let done = false
    const finish = (passOn: boolean) => {
      if (done) return
      done = true
      clearTimeout(timer)
      this.#failed(passOn)
    }
    const timer = setTimeout(() => {
      laptop.silent(session, receivedBytes)
      finish(true)
    }, graceMs)
    stream.on('data', (chunk: Uint8Array) => {
      let rest = chunk
      if (verdict === undefined) {
        clearTimeout(timer)
        verdict = decodeVerdict(chunk[0]!)
        rest = chunk.subarray(1)
        if (verdict !== 'opened') return finish(verdict !== 'refused' || exposed.fallback)
      }
      if (!decoder.push(rest)) finish(false)
    })
    stream.on('end', () => finish(false))
    stream.on('close', () => {
      const refused = stream.errored instanceof MuxResetError && stream.errored.resetCode === 'refused'
      finish(!refused || exposed.fallback)
    })
    return {
      send: bytes => void sendDatagram(stream, bytes),
      close: () => {
        done = true
        clearTimeout(timer)
        stream.destroy()
      }
    }
  }

  async #toOriginals(): Promise<void> {
    this.atOriginals = true
    const [address] = await this.#options.originals.candidates()
    if (this.#over) return
    if (address === undefined) return this.close()
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    let connected = false
    socket.on('error', () => this.close()) // the caller's next datagram finds another pod
    socket.on('message', bytes => this.#answer(bytes))
    const send = (bytes: Uint8Array) => {
      if (!connected || socket.getSendQueueSize() > MAX_QUEUED_BYTES) return
      socket.send(bytes, error => {
        if (error !== null) this.close()
      })
    }
    this.#target = { send, close: () => socket.close() }
    socket.connect(this.#options.exposed.original, address, (...[error]: unknown[]) => {
      if (error !== undefined) return this.close() // no way there; 'error' does not tell that
      if (this.#over) return
      connected = true
      for (const bytes of this.#kept ?? []) send(bytes)
    })
  }
}
