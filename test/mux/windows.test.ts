// What many streams leave to a new one, in virtual time: windows are promises, and whoever rests must not keep them.
import test from 'ava'
import fc from 'fast-check'
import { Budget, FIRST_WINDOW, LEAST_WINDOW, ReceiveWindow, SPARE_WINDOW, TOTAL_WINDOW } from '../../lib/mux/credit.ts'
import { CREDIT, DATA, OPEN, PONG, RETURN } from '../../lib/mux/frame.ts'
import { frame, names, number, type Reader, run, Side, Way } from './_wire.ts'

const CHUNK = Buffer.alloc(65_536)

/** Two sides on a way of 100 MB/s, and what is poured into it. */
class Bench {
  readonly client = new Side('client')
  readonly agent = new Side('agent')
  readonly #ways: Way[]
  #now = 0

  constructor(delayMs = 0.25, bytesPerMs = 100_000) {
    this.#ways = [
      new Way(this.client, this.agent, delayMs, bytesPerMs),
      new Way(this.agent, this.client, delayMs, bytesPerMs)
    ]
  }

  /** Streams that have said a word each way, as every connection does. */
  idle(count: number): Reader[] {
    const opened = Array.from({ length: count }, () => this.client.open())
    this.agent.onOpened = reader => {
      reader.onData = bytes => this.agent.protocol.send(reader.state!, [Uint8Array.from(bytes)], this.#now)
    }
    for (const { state } of opened) this.client.protocol.send(state!, [Buffer.alloc(100)], this.#now)
    this.pass(100)
    this.agent.onOpened = undefined
    for (const reader of this.agent.readers) reader.onData = undefined
    return opened
  }

  pass(ms: number, feed?: () => void): void {
    run(this.client, this.agent, this.#ways, this.#now, this.#now + ms, now => {
      this.#now = now
      feed?.()
    })
    this.#now += 0.25
  }

  /** Bytes of each of these streams that arrive while they all send as much as they can. */
  pour(streams: Reader[], ms: number): number[] {
    const there = (): number[] =>
      streams.map(({ state }) => this.agent.readers.find(reader => reader.state!.id === state!.id)?.bytes ?? 0)
    const before = there()
    this.pass(ms, () => {
      for (const { state } of streams)
        while (state!.queued < 131_072) this.client.protocol.send(state!, [CHUNK], this.#now)
    })
    return there().map((bytes, i) => bytes - before[i]!)
  }

  get promised(): number {
    return this.agent.protocol.promisedBytes
  }
}

for (const connections of [10, 110, 200, 2_000]) {
  test(`beside ${connections} connections that rest a new one is as fast as alone`, t => {
    const bench = new Bench()
    bench.idle(connections)
    const [bytes] = bench.pour([bench.client.open()], 500)
    t.true(bytes! > 0.8 * 500 * 100_000, `${(bytes! / 500_000).toFixed(1)} MB/s`)
  })
}

test('connections that have moved much and rest leave a new one as fast as alone', t => {
  const bench = new Bench()
  const before = Array.from({ length: 12 }, () => bench.client.open())
  for (const stream of before) {
    bench.pour([stream], 200)
    bench.pass(10_500)
  }
  t.true(bench.promised <= 12 * FIRST_WINDOW, `${bench.promised}`)
  const [bytes] = bench.pour([bench.client.open()], 500)
  t.true(bytes! > 0.8 * 500 * 100_000, `${(bytes! / 500_000).toFixed(1)} MB/s`)
  const [again] = bench.pour(before.slice(0, 1), 500)
  t.true(again! > 0.8 * 500 * 100_000, `${(again! / 500_000).toFixed(1)} MB/s`)
})

for (const delayMs of [5, 40]) {
  test(`a stream that comes while others fill the way gets its share, ${2 * delayMs} ms round trip`, t => {
    const bench = new Bench(delayMs)
    const early = Array.from({ length: 5 }, () => bench.client.open())
    bench.pour(early, 3_000)
    const late = bench.client.open()
    bench.pour([...early, late], 1_000)
    const bytes = bench.pour([...early, late], 2_000)
    t.true(bytes.at(-1)! > 0.8 * bytes[0]!, bytes.map(n => (n / 2e6).toFixed(1)).join(' '))
  })
}

test('what all windows add up to stays bounded while streams come and go', t => {
  const bench = new Bench()
  bench.idle(150)
  const streams: Reader[] = []
  for (let i = 0; i < 20; i++) {
    streams.push(bench.client.open())
    bench.pour(streams, 100)
    t.true(bench.promised < 1.5 * SPARE_WINDOW, `${bench.promised} with ${streams.length}`)
  }
  for (const { state } of streams) bench.client.protocol.reset(state!, 'cancel')
  bench.pass(50)
  t.true(bench.promised < 1.1 * SPARE_WINDOW, `${bench.promised}`)
})

test('RETURN: credit that is not needed is given back after five to ten seconds, once', t => {
  const client = new Side('client')
  const { state } = client.open()
  client.transmitAll(0)
  client.protocol.arrive(frame(CREDIT, 1, number(4_000_000)), 1)
  client.protocol.send(state!, [Buffer.alloc(1_000)], 2)
  client.transmitAll(2)
  const said: string[] = []
  for (let now = 3; now < 30_000; now += 100) {
    if (now >= client.protocol.deadline) client.protocol.timeout(now)
    const frames = names(client.transmitAll(now))
    said.push(...frames.map(name => `${name} in second ${Math.floor(now / 1_000)}`))
    const pings = said.filter(name => name.startsWith('PING')).length
    if (frames.includes('PING 0 8')) client.protocol.arrive(frame(PONG, 0, number(0, pings)), now)
  }
  t.deepEqual(
    said.filter(name => name.startsWith('RETURN')),
    ['RETURN 1 4 in second 5']
  )
  t.is(state!.credit, FIRST_WINDOW)
})

test('RETURN: of more than there is ends the session', t => {
  for (const [bytes, code] of [
    [8_192, undefined],
    [8_193, 'credit']
  ] as const) {
    const agent = new Side('agent')
    agent.protocol.arrive(Buffer.concat([frame(OPEN, 1, number(0)), frame(RETURN, 1, number(bytes))]), 1)
    t.is(agent.code, code)
  }
})

test('RETURN: what was given back may not be used', t => {
  const agent = new Side('agent')
  const returned = [frame(OPEN, 1, number(0)), frame(RETURN, 1, number(8_000)), frame(DATA, 1, Buffer.alloc(192))]
  agent.protocol.arrive(Buffer.concat(returned), 1)
  t.is(agent.code, undefined)
  agent.protocol.arrive(frame(DATA, 1, Buffer.of(1)), 1)
  t.is(agent.code, 'credit')
})

test('whatever happens to windows, the sum is what they are, bounded, and nothing in the end', t => {
  const step = fc.record({
    what: fc.constantFrom('open', 'move', 'keep', 'return', 'release'),
    which: fc.nat(),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    roundTripMs: fc.constantFrom(0, 0.8137, 20, 80.7, 300)
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const budget = new Budget()
      let open: { window: ReceiveWindow; may: number }[] = []
      for (const [now, { what, which, part, roundTripMs }] of steps.entries()) {
        const one = open[which % open.length]
        if (what === 'open') {
          const first = budget.first(roundTripMs)
          open.push({ window: new ReceiveWindow(budget, first, first), may: first })
        } else if (one === undefined) continue
        else if (what === 'release') {
          one.window.release()
          open = open.filter(other => other !== one)
        } else if (what === 'return') {
          const back = Math.floor(one.may * part)
          if (!one.window.returned(back, 0)) return false
          one.may -= back
        } else {
          if (!one.window.arrive(one.may)) return false
          one.may = one.window.give(what === 'keep' ? Math.floor(one.may * part) : 0, now, roundTripMs)
        }
        const sum = open.reduce((all, { window }) => all + window.window, 0)
        if (budget.promised !== sum || sum > TOTAL_WINDOW) return false
        if (open.some(({ window, may }) => !(window.window >= 0 && Number.isInteger(may)))) return false
      }
      for (const { window } of open) window.release()
      return budget.promised === 0 && budget.first(0) === FIRST_WINDOW
    }),
    { numRuns: 500 }
  )
  t.pass()
})

test('there is room for the least window of 8,192 streams, and an end to it', t => {
  const budget = new Budget()
  let streams = 0
  while (budget.first(1) >= LEAST_WINDOW) streams += 1
  t.true(streams >= 8_192, `${streams}`)
  t.true(budget.promised <= TOTAL_WINDOW)
})
