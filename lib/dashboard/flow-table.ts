// Conversations as rows: those of this moment, and for a while those that are over.
import type { FlowFacts } from '../stack/facts.ts'
import type { FlowRow } from './model.ts'

/** A conversation that is over stays for so long, ms. */
const ENDED_KEPT_MS = 60_000
/** Rows that are kept, and the newest of them that are shown: more, nobody reads. */
const ENDED_MAX = 200
export const SHOWN_MAX = 500
/** Two ends of one conversation are told within this, ms: the far side's word, and the stack's. */
const SAME_MS = 1_000
/** Names by address; the oldest goes first. */
const NAMES_MAX = 2_000

/** What `kt:connection` tells. */
export interface ConnectionEvent {
  event: string
  network: string
  source: string
  destination: string
}

export class FlowTable {
  readonly #nameOf: (address: string) => string | undefined
  readonly #rows = new Map<string, FlowRow>()
  readonly #ended: FlowRow[] = []
  readonly #names = new Map<string, string>()

  /** `nameOf`: who it is when no question has led there. */
  constructor(nameOf: (address: string) => string | undefined) {
    this.#nameOf = nameOf
  }

  /** The DNS has answered `name` with these. */
  answered(name: string, addresses: readonly string[]): void {
    for (const address of addresses) {
      this.#names.delete(address)
      this.#names.set(address, name)
    }
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= NAMES_MAX) break
      this.#names.delete(oldest)
    }
  }

  /** All conversations of this moment. */
  update(flows: readonly FlowFacts[], now: number): void {
    const seen = new Set<string>()
    for (const flow of flows) {
      const row = this.#row(flow, now)
      seen.add(row.key)
    }
    for (const row of this.#rows.values()) {
      if (seen.has(row.key)) continue
      row.state = 'CLOSED'
      this.#end(row, now)
    }
  }

  /** One is over, with its last figures. */
  over(flow: FlowFacts, now: number): void {
    const row = this.#row(flow, now)
    const said = this.#ended.findLast(({ key, ended }) => key === row.key && now - ended < SAME_MS)
    if (said === undefined || said.state === 'CLOSED') {
      row.state = flow.state === 'DIALLING' ? 'GIVEN UP' : 'CLOSED'
      this.#end(row, now)
      return
    }
    // The far side has said why.
    this.#rows.delete(row.key)
    said.sentBytes = row.sentBytes
    said.receivedBytes = row.receivedBytes
  }

  /** What became of a dial. Without a TUN (`tracked` false) it is all there is. */
  dialled({ event, network, source, destination }: ConnectionEvent, tracked: boolean, now: number): void {
    if (tracked && event === 'opened') return
    const colon = destination.lastIndexOf(':')
    const address = destination.slice(0, colon)
    const key = `${network} ${source} ${destination}`
    const row = this.#rows.get(key) ?? {
      ...{ key, network, port: portOf(source), address, remotePort: Number(destination.slice(colon + 1)) },
      ...{ name: this.#name(address), sentBytes: 0, receivedBytes: 0, roundTripMs: 0, retransmits: 0 },
      ...{ state: '', since: now, ended: 0 }
    }
    row.state = event === 'opened' ? 'OPEN' : event.toUpperCase()
    this.#end(row, now)
  }

  /** Newest first. */
  rows(now: number): FlowRow[] {
    while (this.#ended.length > ENDED_MAX || (this.#ended[0]?.ended ?? now) < now - ENDED_KEPT_MS) this.#ended.shift()
    return [...this.#rows.values(), ...this.#ended].sort((a, b) => b.since - a.since).slice(0, SHOWN_MAX)
  }

  #row(flow: FlowFacts, now: number): FlowRow {
    const { network, source, sourcePort, destination, destinationPort } = flow
    const key = `${network} ${source}:${sourcePort} ${destination}:${destinationPort}`
    const since = this.#rows.get(key)?.since ?? now
    const { sentBytes, receivedBytes, roundTripMs, retransmits, state } = flow
    const row: FlowRow = {
      ...{ key, network, port: sourcePort, address: destination, remotePort: destinationPort },
      ...{ name: this.#name(destination), sentBytes, receivedBytes, roundTripMs, retransmits, state, since, ended: 0 }
    }
    this.#rows.set(key, row)
    return row
  }

  #end(row: FlowRow, now: number): void {
    this.#rows.delete(row.key)
    row.ended = now
    this.#ended.push(row)
  }

  #name(address: string): string {
    return this.#names.get(address) ?? this.#nameOf(address) ?? ''
  }
}

function portOf(source: string): number {
  const [, port = '0'] = /:(\d{1,5})$/.exec(source) ?? []
  return Number(port)
}
