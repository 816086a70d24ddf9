// Nanoseconds for the single steps of one endpoint, as ratios to reading a header. Different segments, results kept.
// Run alone: node bench/micro/tcp.bench.ts
import { Endpoint } from '../../lib/tcp/endpoint.ts'
import { ACK, HEADER_LENGTH, TcpView } from '../../lib/wire/tcp.ts'

const SEGMENTS = 2_000
const ROUNDS = 15
const IRS = 0x7fff_0000
const ISS = 1000
const SLOT = 2048

const memory = new Uint8Array(SEGMENTS * SLOT)
const seg = new TcpView()
const out = new TcpView()
out.bytes = new Uint8Array(66_000)

/** Put segment i, with `length` bytes of text, into its slot. */
function write(i: number, seq: number, ack: number, length: number): void {
  seg.bytes = memory
  seg.start = i * SLOT
  seg.end = seg.start + HEADER_LENGTH + length
  seg.emit(1, 2, seq | 0, ack | 0, ACK, 65_535)
}

function established(): Endpoint {
  const endpoint = new Endpoint({
    ...{ iss: ISS, irs: IRS, wnd: 65_535, mss: 1400, ownMss: 1400, maxSegment: 1400, windowScale: 7 }
  })
  endpoint.transmit(out, 2, 1, 0)
  write(0, IRS + 1, ISS + 1, 0)
  endpoint.segmentArrives(seg, 0)
  return endpoint
}

/** One round handles SEGMENTS segments and says a number that depends on all of them. */
type Round = () => number

function headers(): number {
  let kept = 0
  for (let i = 0; i < SEGMENTS; i++) {
    if (seg.wrap(memory, i * SLOT, i * SLOT + 1420)) kept ^= seg.seq ^ seg.ack ^ seg.wnd ^ seg.flags ^ seg.len
  }
  return kept
}

/** Text of `length` bytes arrives and is read, with one ACK per 16 segments. */
function receive(length: number): Round {
  const endpoint = established()
  let seq = IRS + 1
  return () => {
    for (let i = 0; i < SEGMENTS; i++) write(i, seq + i * length, ISS + 1, length)
    seq = (seq + SEGMENTS * length) | 0
    const begun = performance.now()
    for (let i = 0; i < SEGMENTS; i++) {
      seg.wrap(memory, i * SLOT, i * SLOT + HEADER_LENGTH + length)
      endpoint.segmentArrives(seg, begun)
      if ((i & 15) === 15) {
        while (endpoint.unread > 0) endpoint.consumed(endpoint.received().length)
        endpoint.transmit(out, 2, 1, begun)
      }
    }
    return performance.now() - begun
  }
}

/** Text of `length` bytes is sent, acknowledged 16 segments at a time. */
function send(length: number): Round {
  const endpoint = established()
  const text = new Uint8Array(length)
  let ack = ISS + 1
  return () => {
    const begun = performance.now()
    for (let i = 0; i < SEGMENTS; i++) {
      endpoint.send(text)
      endpoint.transmit(out, 2, 1, begun)
      if ((i & 15) === 15) {
        ack = (ack + 16 * length) | 0
        write(0, IRS + 1, ack, 0)
        endpoint.segmentArrives(seg, begun)
      }
    }
    return performance.now() - begun
  }
}

function timed(f: Round): Round {
  let kept = 0
  return () => {
    const begun = performance.now()
    kept ^= f()
    return performance.now() - begun + (kept === 1 ? 1e-9 : 0)
  }
}

/** Median ns per segment. */
function report(name: string, round: Round, baseline: number): number {
  for (let i = 0; i < 10; i++) round()
  const times = Array.from({ length: ROUNDS }, () => (round() * 1e6) / SEGMENTS).toSorted((a, b) => a - b)
  const median = times[ROUNDS >> 1]!
  const spread = `${times[0]!.toFixed(0)}–${times.at(-1)!.toFixed(0)}`
  const ratio = baseline === 0 ? '1' : (median / baseline).toFixed(0)
  console.log(`${name.padEnd(28)} ${median.toFixed(0).padStart(6)} ns (${spread}), ${ratio} × reading a header`)
  return median
}

for (let i = 0; i < SEGMENTS; i++) write(i, i * 77_777, i, 1400)
const baseline = report('read a header', timed(headers), 0)
report('receive 1,400 bytes', receive(1400), baseline)
report('receive 10 bytes', receive(10), baseline)
report('send 1,400 bytes', send(1400), baseline)
report('send 10 bytes', send(10), baseline)
const begun = process.memoryUsage().heapUsed
const many = Array.from({ length: 10_000 }, established)
console.log(`an idle endpoint: ${((process.memoryUsage().heapUsed - begun) / many.length).toFixed(0)} bytes of heap`)
