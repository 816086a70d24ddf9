// Fairness, windows and what is on the way, in virtual time over a way whose queue has no end.
import test from 'ava'
import { FIRST_WINDOW } from '../../lib/mux/credit.ts'
import { type Reader, run, Side, Way } from './_wire.ts'

interface Setting {
  delayMs: number
  bytesPerMs: number
  /** Bulk streams, client to agent. */
  bulk: number
  runMs: number
  /** When the echoes begin, ms; 0 unless given. */
  echoFromMs?: number
}

/** Bulk up, and a 64-byte echo every 20 ms beside it. */
function transfer({ delayMs, bytesPerMs, bulk, runMs, echoFromMs = 0 }: Setting) {
  const client = new Side('client')
  const agent = new Side('agent')
  const up = new Way(client, agent, delayMs, bytesPerMs)
  const down = new Way(agent, client, delayMs, bytesPerMs)
  const echo = client.open(Buffer.from('echo'))
  agent.onOpened = (reader, request) => {
    if (String(Buffer.from(request)) !== 'echo') return
    reader.onData = bytes => agent.protocol.send(reader.state!, [Uint8Array.from(bytes)], clock)
  }
  const bulks: Reader[] = Array.from({ length: bulk }, () => client.open())
  const chunk = Buffer.alloc(65_536)
  let clock = 0
  let sentAt = -1
  const waits: number[] = []
  echo.onData = () => {
    waits.push(clock - sentAt)
    sentAt = -1
  }
  run(client, agent, [up, down], 0, runMs, now => {
    clock = now
    for (const { state } of bulks) {
      while (state!.queued < 131_072) client.protocol.send(state!, [chunk], now)
    }
    if (sentAt < 0 && now % 20 === 0 && now >= echoFromMs) {
      sentAt = now
      client.protocol.send(echo.state!, [Buffer.alloc(64)], now)
    }
  })
  const received = agent.readers.slice(1).map(reader => reader.bytes)
  const echoes = waits.toSorted((a, b) => a - b)
  return {
    client,
    agent,
    received,
    total: received.reduce((sum, bytes) => sum + bytes, 0),
    worstWaitMs: up.worstWaitMs,
    echoes,
    /** The same as they came. */
    waits,
    p99: echoes[Math.floor(echoes.length * 0.99)] ?? Number.POSITIVE_INFINITY
  }
}

for (const [delayMs, bytesPerMs] of [
  [0.25, 100_000],
  [10, 50_000],
  [40, 50_000],
  [10, 2_000]
] as const) {
  const title = `${2 * delayMs} ms round trip, ${bytesPerMs / 1_000} MB/s`
  test(`one bulk stream fills the way without filling its queue: ${title}`, t => {
    const runMs = delayMs === 40 ? 4_000 : 2_000
    const { total, worstWaitMs, client } = transfer({ delayMs, bytesPerMs, bulk: 1, runMs })
    t.is(client.code, undefined)
    t.true(total > bytesPerMs * runMs * 0.8, `${((total / bytesPerMs / runMs) * 100).toFixed(0)} % of the way`)
    // The first 256 KiB are sent blindly; afterwards about a round trip and some milliseconds may wait.
    const blindMs = 2 ** 18 / bytesPerMs
    t.true(worstWaitMs < 2 * (2 * delayMs + 8) + blindMs, `${worstWaitMs.toFixed(1)} ms of queue`)
  })

  test(`an echo beside four bulk streams is late by no more than what is on the way: ${title}`, t => {
    const { p99, echoes } = transfer({ delayMs, bytesPerMs, bulk: 4, runMs: 2_000 })
    t.true(echoes.length > 8)
    const limitMs = 2 * delayMs + (2 * delayMs + 8) + (2 * 131_072) / bytesPerMs + 2 ** 18 / bytesPerMs
    t.true(p99 < limitMs, `p99 ${p99} ms, limit ${limitMs.toFixed(1)}`)
  })
}

test('alone, bulk may queue for longer; who comes then waits once', t => {
  const setting = { delayMs: 0.25, bytesPerMs: 100_000, bulk: 1, runMs: 3_000, echoFromMs: 2_000 }
  const { waits, worstWaitMs } = transfer(setting)
  t.true(worstWaitMs > 10 && worstWaitMs < 25, `${worstWaitMs} ms of queue`)
  t.true(waits.length > 20)
  t.true(waits[0]! < 25, `the first waits ${waits[0]} ms`)
  t.true(Math.max(...waits.slice(2)) < 12, `then ${Math.max(...waits.slice(2))} ms`)
})

test('the head of a message before its body is not somebody whom bulk must not delay; a word on another stream is', t => {
  const boundAfter = (wordAt: number): number => {
    const client = new Side('client')
    const agent = new Side('agent')
    const ways = [new Way(client, agent, 0.25, 100_000), new Way(agent, client, 0.25, 100_000)]
    const [body, other] = [client.open().state!, client.open().state!]
    run(client, agent, ways, 0, 450, now => {
      if (now === 0) client.protocol.send(body, [Buffer.alloc(100)], now)
      if (now === wordAt) client.protocol.send(other, [Buffer.alloc(100)], now)
      while (now >= 5 && body.queued < 131_072) client.protocol.send(body, [Buffer.alloc(65_536)], now)
    })
    return client.protocol.flight.bound
  }
  const alone = boundAfter(Number.POSITIVE_INFINITY)
  t.true(alone > 1_200_000, `alone ${alone} bytes may be on the way`)
  for (const wordAt of [0, 100, 400]) {
    const beside = boundAfter(wordAt)
    t.true(beside < 600_000, `${beside} bytes beside a word at ${wordAt} ms`)
  }
})

test('a long way is filled within some round trips, by one stream alone', t => {
  const { total } = transfer({ delayMs: 40, bytesPerMs: 100_000, bulk: 1, runMs: 2_000 })
  t.true(total > 100_000 * 2_000 * 0.78, `${((total / 200_000_000) * 100).toFixed(0)} % of the way`)
  const fast = transfer({ delayMs: 40, bytesPerMs: 200_000, bulk: 1, runMs: 2_000 })
  t.true(fast.total > 200_000 * 2_000 * 0.7, `${((fast.total / 400_000_000) * 100).toFixed(0)} % of the way`)
  t.true(fast.worstWaitMs < 80, `${fast.worstWaitMs} ms of queue`)
})

test('on a long way a second transfer begins where the first one has left off', t => {
  const client = new Side('client')
  const agent = new Side('agent')
  const ways = [new Way(client, agent, 40, 100_000), new Way(agent, client, 40, 100_000)]
  const pour = (from: number, to: number): number => {
    const { state } = client.open()
    run(client, agent, ways, from, to, now => {
      while (state!.queued < 131_072) client.protocol.send(state!, [Buffer.alloc(65_536)], now)
    })
    const { bytes } = agent.readers.at(-1)!
    client.protocol.reset(state!, 'cancel')
    run(client, agent, ways, to, to + 300)
    return bytes
  }
  pour(0, 1_000)
  const bytes = pour(1_300, 2_300)
  t.true(
    bytes > 100_000 * 1_000 * 0.7,
    `${(bytes / 1e6).toFixed(0)} MB in a second, 160 ms of which are two round trips`
  )
})

test('a reader of bulk speaks seldom while nobody else is there: ACK and CREDIT leave together', t => {
  const client = new Side('client')
  const agent = new Side('agent')
  const ways = [new Way(client, agent, 0.25, 100_000), new Way(agent, client, 0.25, 100_000)]
  const { state } = client.open()
  const feed = (now: number) => {
    while (state!.queued < 131_072) client.protocol.send(state!, [Buffer.alloc(65_536)], now)
  }
  run(client, agent, ways, 0, 2_000, feed)
  const [said, bytes] = [ways[1]!.writes, agent.readers[0]!.bytes]
  run(client, agent, ways, 2_000, 4_000, feed)
  const perMegabyte = (ways[1]!.writes - said) / ((agent.readers[0]!.bytes - bytes) / 1e6)
  t.true(perMegabyte < 2.5, `${perMegabyte.toFixed(1)} messages for each megabyte`)
})

test('bulk streams share the way evenly', t => {
  const { received } = transfer({ delayMs: 5, bytesPerMs: 50_000, bulk: 8, runMs: 3_000 })
  t.is(received.length, 8)
  t.true(Math.max(...received) < 1.15 * Math.min(...received), received.join(' '))
})

test('windows grow with the round trip, and stay small where that gains nothing', t => {
  const far = transfer({ delayMs: 40, bytesPerMs: 50_000, bulk: 1, runMs: 2_000 })
  t.true(far.agent.readers[1]!.state!.receive.window >= 2 ** 22)
  const slow = transfer({ delayMs: 0.25, bytesPerMs: 1_000, bulk: 1, runMs: 2_000 })
  t.true(slow.agent.readers[1]!.state!.receive.window <= FIRST_WINDOW)
})

test('a stream that is not read stops nobody', t => {
  const client = new Side('client')
  const agent = new Side('agent')
  const ways = [new Way(client, agent, 5, 100_000), new Way(agent, client, 5, 100_000)]
  agent.onOpened = reader => {
    reader.reading = agent.readers.length > 1
  }
  const [stuck, free] = [client.open(), client.open()]
  const chunk = Buffer.alloc(65_536)
  run(client, agent, ways, 0, 1_000, now => {
    for (const { state } of [stuck, free]) {
      if (state!.queued < 131_072) client.protocol.send(state!, [chunk], now)
    }
  })
  t.is(agent.readers[0]!.bytes, FIRST_WINDOW)
  t.true(agent.readers[1]!.bytes > 50_000_000)
})

test('the shortest round trip is measured anew when the way gets longer', t => {
  const client = new Side('client')
  const agent = new Side('agent')
  const back = new Way(agent, client, 1, 50_000)
  const short = new Way(client, agent, 1, 50_000)
  const bulk = client.open()
  const feed = (now: number) => {
    while (bulk.state!.queued < 131_072) client.protocol.send(bulk.state!, [Buffer.alloc(65_536)], now)
  }
  run(client, agent, [short, back], 0, 3_000, feed)
  t.true(client.protocol.flight.roundTripMs < 4)
  const long = new Way(client, agent, 60, 50_000)
  run(client, agent, [short, long, back], 3_000, 3_030) // what was on the old way arrives first
  run(client, agent, [long, back], 3_030, 30_000, feed)
  t.true(client.protocol.flight.roundTripMs > 55, `${client.protocol.flight.roundTripMs}`)
  const before = agent.readers[0]!.bytes
  run(client, agent, [long, back], 30_000, 32_000, feed)
  t.true(agent.readers[0]!.bytes - before > 50_000 * 2_000 * 0.8)
})
