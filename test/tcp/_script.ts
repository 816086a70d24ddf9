// A conversation with one endpoint, one line a segment, in tcpdump's notation.
import type { ExecutionContext } from 'ava'
import { Endpoint } from '../../lib/tcp/endpoint.ts'
import { seqAdd, seqDiff } from '../../lib/tcp/seq.ts'
import type { State } from '../../lib/tcp/state.ts'
import type { CloseReason, TcbOptions } from '../../lib/tcp/tcb.ts'
import { ACK, FIN, HEADER_LENGTH, PSH, RST, SYN, TcpView } from '../../lib/wire/tcp.ts'
import { parseSynOptions } from '../../lib/wire/tcp-options.ts'

const LETTERS: [string, number][] = [
  ['S', SYN],
  ['F', FIN],
  ['R', RST],
  ['P', PSH],
  ['.', ACK]
]
const text = new TextEncoder()

/** The peer's ISN lies just below the int32 wrap, so that each test also tests the wrap. */
export const IRS = 0x7fff_fff0
export const ISS = 5000

/** Bytes of a string; or `length` bytes that differ from their neighbours. */
export function bytes(content: string | number): Uint8Array {
  return typeof content === 'string' ? text.encode(content) : Uint8Array.from({ length: content }, (_, i) => i * 7)
}

/** `flags seq:end(len) ack n win n <options>`, sequence numbers relative to the ISNs. */
export function format(seg: TcpView): string {
  const flags = LETTERS.filter(([, bit]) => seg.has(bit))
    .map(([letter]) => letter)
    .join('')
  const seq = seqDiff(ISS, seg.seq)
  const ack = seg.has(ACK) ? ` ack ${seqDiff(IRS, seg.ack)}` : ''
  const { mss, windowScale } = parseSynOptions(seg)
  const options = [mss === undefined ? '' : `mss ${mss}`, windowScale === undefined ? '' : `wscale ${windowScale}`]
  const list = options.filter(o => o !== '').join(',')
  const line = `${flags} ${seq}:${seq + seg.textLength}(${seg.textLength})${ack} win ${seg.wnd}`
  return list === '' ? line : `${line} <${list}>`
}

/** Put a segment into `seg`; `seq` and `ack` relative to the ISNs. */
export function build(seg: TcpView, flags: number, seq: number, ack: number, wnd: number, payload: Uint8Array): void {
  const packet = new Uint8Array(HEADER_LENGTH + payload.length)
  packet.set(payload, HEADER_LENGTH)
  seg.wrap(packet, 0, packet.length)
  seg.emit(1, 2, seqAdd(IRS, seq), seqAdd(ISS, ack), flags, wnd)
}

export class Script {
  readonly endpoint: Endpoint
  now = 0
  readonly #t: ExecutionContext
  readonly #seg = new TcpView()

  constructor(t: ExecutionContext, options: Partial<TcbOptions> = {}) {
    this.#t = t
    const base = { iss: ISS, irs: IRS, wnd: 1000, mss: 100, ownMss: 100, maxSegment: 100, receiveLimit: 1000 }
    this.endpoint = new Endpoint({ ...base, ...options })
  }

  /** A segment arrives: `flags seq [ack n] [win n]`; the window is 1000 unless it is said. */
  in(line: string, payload: string | number = ''): this {
    const m = /^([SFRP.]+) (-?\d+)(?: ack (-?\d+))?(?: win (\d+))?$/.exec(line)
    if (m === null) throw new Error(`cannot read ${line}`)
    let flags = 0
    for (const [letter, bit] of LETTERS) if (m[1]!.includes(letter)) flags |= bit
    build(this.#seg, flags, Number(m[2]), Number(m[3] ?? 0), Number(m[4] ?? 1000), bytes(payload))
    this.endpoint.segmentArrives(this.#seg, this.now)
    return this
  }

  /** Exactly these segments leave. */
  out(...lines: string[]): this {
    this.#t.deepEqual(this.drain(), lines)
    return this
  }

  /** Whatever leaves. */
  drain(): string[] {
    const got: string[] = []
    const out = new TcpView()
    out.wrap(new Uint8Array(70_000), 0, 70_000)
    while (this.endpoint.transmit(out, 2, 1, this.now)) {
      if (out.sourcePort !== 2 || out.destinationPort !== 1) got.push('wrong ports')
      got.push(format(out))
    }
    return got
  }

  /** It is `ms` after the beginning. */
  at(ms: number): this {
    this.now = ms
    this.endpoint.timeout(ms)
    return this
  }

  /** The peer is silent, until we give up; what leaves with the last breath is still to come out. */
  untilClosed(): this {
    while (this.endpoint.state !== 'CLOSED') {
      this.drain()
      this.at(this.endpoint.deadline)
    }
    return this
  }

  send(content: string | number): this {
    this.endpoint.send(bytes(content))
    return this
  }

  /** The caller reads all there is, which must be this. */
  reads(content: string): this {
    let got = ''
    for (let r = this.endpoint.received(); r.length > 0; r = this.endpoint.received()) {
      got += Buffer.from(r).toString()
      this.endpoint.consumed(r.length)
    }
    this.#t.is(got, content)
    return this
  }

  shutdown(): this {
    this.endpoint.shutdown(this.now)
    return this
  }

  abort(): this {
    this.endpoint.abort(this.now)
    return this
  }

  is(state: State, reason?: CloseReason): this {
    this.#t.is(this.endpoint.state, state)
    this.#t.is(this.endpoint.reason, reason)
    return this
  }
}

/** In SYN_RECEIVED, with nothing sent yet. */
export function script(t: ExecutionContext, options?: Partial<TcbOptions>): Script {
  return new Script(t, options)
}

/** The usual opening, so that a test starts with what it is about. */
export function established(t: ExecutionContext, options?: Partial<TcbOptions>): Script {
  const s = script(t, options)
  s.drain()
  return s.in('. 1 ack 1').out().is('ESTABLISHED')
}
