// Whatever segments come, in whatever order, between whatever calls: nothing throws and memory stays bounded.
import test from 'ava'
import fc from 'fast-check'
import { Budget } from '../../lib/tcp/budget.ts'
import { Endpoint } from '../../lib/tcp/endpoint.ts'
import { answerWithReset } from '../../lib/tcp/reset.ts'
import { HEADER_LENGTH, TcpView } from '../../lib/wire/tcp.ts'
import { parseSynOptions } from '../../lib/wire/tcp-options.ts'

/** `FUZZ_SECONDS` sets how long each property runs. */
const LIMIT = { numRuns: Infinity, interruptAfterTimeLimit: Number(process.env.FUZZ_SECONDS ?? 10) * 1000 }

const IRS = 0x7fff_fff0
const ISS = -100
const RECEIVE_LIMIT = 3000
const SEND_LIMIT = 3000

/** Numbers that are near the interesting ones, or anywhere. */
const near = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -50, max: 4000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) }
)
const segment = fc.record({
  call: fc.constant('segment' as const),
  flags: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0x10, 0x11, 0x18) }, { weight: 1, arbitrary: fc.nat(255) }),
  seq: near,
  ack: near,
  wnd: fc.oneof(fc.constantFrom(0, 1, 65_535), fc.nat(65_535)),
  text: fc.oneof(fc.constant(0), fc.nat(100), fc.nat(5000))
})
const call = fc.oneof(
  { weight: 6, arbitrary: segment },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('send' as const), n: fc.nat(6000) }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('read' as const), n: fc.nat(4000) }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('wait' as const), ms: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constantFrom('shutdown' as const, 'abort' as const, 'next' as const) }) }
)
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

class Subject {
  readonly budget = new Budget(1 << 20)
  readonly endpoint: Endpoint
  now = 0
  readonly #seg = new TcpView()
  readonly #out = new TcpView()

  constructor(windowScale: number | undefined) {
    const limits = { receiveLimit: RECEIVE_LIMIT, sendLimit: SEND_LIMIT, budget: this.budget }
    this.endpoint = new Endpoint({
      ...{ iss: ISS, irs: IRS, wnd: 500, mss: 100, ownMss: 100, maxSegment: 300, windowScale },
      ...limits
    })
    this.#out.bytes = new Uint8Array(28 + 300)
  }

  run(c: Call): void {
    const { endpoint } = this
    if (c.call === 'segment') this.#arrive(c)
    else if (c.call === 'send') endpoint.send(new Uint8Array(c.n))
    else if (c.call === 'read') endpoint.consumed(Math.min(c.n, endpoint.received().length))
    else if (c.call === 'wait') this.now += c.ms
    else if (c.call === 'next') this.now = Math.max(this.now, Math.min(endpoint.deadline, this.now + 1e7))
    else endpoint[c.call](this.now)
    endpoint.timeout(this.now)
  }

  #arrive({ flags, seq, ack, wnd, text }: Extract<Call, { call: 'segment' }>): void {
    const bytes = new Uint8Array(HEADER_LENGTH + text)
    if (!this.#seg.wrap(bytes, 0, bytes.length)) this.#seg.bytes[12] = 0x50
    this.#seg.emit(1, 2, (IRS + seq) | 0, (ISS + ack) | 0, flags, wnd)
    this.endpoint.segmentArrives(this.#seg, this.now)
  }

  /** At most this many segments leave before it says false: it may not chatter. */
  drain(limit: number): boolean {
    for (let i = 0; i < limit; i++) if (!this.endpoint.transmit(this.#out, 1, 2, this.now)) return true
    return false
  }

  get bounded(): boolean {
    const { storageBytes, unread, unacknowledged, deadline, state } = this.endpoint
    const timers = state === 'CLOSED' ? deadline === Infinity : deadline > this.now - 1
    return storageBytes <= 4096 && unread <= RECEIVE_LIMIT && unacknowledged <= SEND_LIMIT && timers
  }
}

test('an endpoint survives any segments and calls, in bounded memory', t => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), fc.option(fc.nat(14), { nil: undefined }), (calls, windowScale) => {
      const subject = new Subject(windowScale)
      for (const c of calls) {
        subject.run(c)
        if (!subject.drain(200) || !subject.bounded) return false
      }
      subject.endpoint.close(subject.now)
      return subject.budget.used === 0
    }),
    LIMIT
  )
  t.pass()
})

test('any bytes are a segment or none, and never throw', t => {
  const out = new TcpView()
  out.bytes = new Uint8Array(HEADER_LENGTH)
  const seg = new TcpView()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
      if (!seg.wrap(bytes, 0, bytes.length)) return true
      answerWithReset(seg, out)
      const { mss, windowScale } = parseSynOptions(seg)
      const endpoint = new Endpoint({
        ...{ iss: ISS, irs: seg.seq, wnd: seg.wnd, mss: mss ?? 536, windowScale, ownMss: 1460, maxSegment: 65_000 }
      })
      endpoint.segmentArrives(seg, 0)
      return seg.textLength >= 0 && endpoint.maxSegment % endpoint.mss === 0
    }),
    LIMIT
  )
  t.pass()
})
