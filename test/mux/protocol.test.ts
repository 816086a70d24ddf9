import test from 'ava'
import fc from 'fast-check'
import { FIRST_WINDOW, LEAST_WINDOW, TOTAL_WINDOW } from '../../lib/mux/credit.ts'
import { ACK, CREDIT, DATA, FIN, GOAWAY, OPEN, OPENER_CREDIT, PING, PONG, RESET } from '../../lib/mux/frame.ts'
import { BULK_BYTES, GATHER_BYTES } from '../../lib/mux/gather.ts'
import { SILENCE_MS } from '../../lib/mux/heartbeat.ts'
import { MAX_STREAMS } from '../../lib/mux/stream-table.ts'
import { frame, names, number, Side } from './_wire.ts'

const OPEN_1 = frame(OPEN, 1, number(FIRST_WINDOW))

function agentAfter(...frames: Uint8Array[]): Side {
  const agent = new Side('agent')
  agent.protocol.arrive(Buffer.concat(frames), 0)
  return agent
}

test('the opener gets its credit with the answer, in one write', t => {
  const agent = agentAfter(OPEN_1)
  t.is(agent.readers.length, 1)
  t.deepEqual(names(agent.transmitAll(1)), [], 'a message of its own would wake every server on the way')
  agent.protocol.send(agent.readers[0]!.state!, [Buffer.of(1)], 2)
  const pieces = agent.protocol.transmit(2)
  t.deepEqual(names(Buffer.concat(pieces)), ['DATA 1 1', 'CREDIT 1 4'])
  t.deepEqual(names(agent.transmitAll(3)), [])
})

test('credit does not make a full write longer: it would be a message of its own for every server on the way', t => {
  const agent = agentAfter(OPEN_1)
  agent.protocol.send(agent.readers[0]!.state!, [Buffer.alloc(2 * BULK_BYTES)], 1)
  const write = Buffer.concat(agent.protocol.transmit(1))
  t.is(write.length, GATHER_BYTES)
  t.false(names(write).some(name => name.startsWith('CREDIT')))
})

test('an opener that does not wait for the answer gets its credit at once', t => {
  const agent = agentAfter(OPEN_1, frame(DATA, 1, Buffer.of(1)))
  t.deepEqual(names(agent.transmitAll(1)), ['CREDIT 1 4'])
})

for (const [what, bytes, code] of [
  ['a reserved type', frame(9, 0, number(0, 0)), 'protocol'],
  ['DATA of a stream that was never opened', frame(DATA, 1, Buffer.of(1)), 'protocol'],
  ['CREDIT of a stream that was never opened', frame(CREDIT, 3, number(1)), 'protocol'],
  ['RESET of a stream of ours that was never opened', frame(RESET, 2, number(1)), 'protocol'],
  ['OPEN with an id of the wrong side', frame(OPEN, 2, number(1)), 'protocol'],
  ['OPEN with an id used before', Buffer.concat([OPEN_1, OPEN_1]), 'protocol'],
  [
    'OPEN with an id used before, freed meanwhile',
    Buffer.concat([OPEN_1, frame(RESET, 1, number(2)), OPEN_1]),
    'protocol'
  ],
  ['OPEN with a smaller id', Buffer.concat([frame(OPEN, 3, number(1)), OPEN_1]), 'protocol'],
  ['DATA after FIN', Buffer.concat([OPEN_1, frame(FIN, 1), frame(DATA, 1, Buffer.of(1))]), 'protocol'],
  ['FIN after FIN', Buffer.concat([OPEN_1, frame(FIN, 1), frame(FIN, 1)]), 'protocol'],
  ['CREDIT of nothing', Buffer.concat([OPEN_1, frame(CREDIT, 1, number(0))]), 'protocol'],
  ['an ACK of what was never sent', frame(ACK, 0, number(0, 1_000)), 'protocol'],
  ['more DATA than there is credit', Buffer.concat([OPEN_1, frame(DATA, 1, Buffer.alloc(OPENER_CREDIT + 1))]), 'credit']
] as const) {
  test(`violation: ${what} ends the session with ${code}`, t => {
    const agent = agentAfter(bytes)
    t.is(agent.code, code)
    t.false(agent.theirs)
    t.is(names(agent.transmitAll(1)).at(-1), 'GOAWAY 0 4')
    t.deepEqual(agent.transmitAll(2), Buffer.alloc(0))
    agent.protocol.arrive(OPEN_1, 3)
    t.is(agent.protocol.streams, 0)
    t.is(agent.protocol.promisedBytes, 0)
  })
}

test('frames that were on the way when a stream ended are dropped in silence', t => {
  const agent = agentAfter(OPEN_1)
  agent.protocol.reset(agent.readers[0]!.state!, 'cancel')
  agent.protocol.arrive(
    Buffer.concat([frame(DATA, 1, Buffer.alloc(100)), frame(CREDIT, 1, number(5)), frame(FIN, 1)]),
    1
  )
  t.is(agent.code, undefined)
  t.is(agent.readers[0]!.bytes, 0)
})

test('GOAWAY of the peer ends all streams', t => {
  const agent = agentAfter(OPEN_1, frame(GOAWAY, 0, number(6)))
  t.is(agent.code, 'replaced')
  t.true(agent.theirs)
  t.deepEqual(agent.readers[0]!.resets, ['closed'])
})

test('streams: one more than the limit is reset, the session goes on', t => {
  const agent = new Side('agent')
  for (let i = 0; i <= MAX_STREAMS; i++) agent.protocol.arrive(frame(OPEN, 1 + 2 * i, number(0)), 0)
  t.is(agent.protocol.streams, MAX_STREAMS)
  t.true(agent.protocol.promisedBytes <= TOTAL_WINDOW)
  t.is(names(agent.transmitAll(1)).filter(name => name.startsWith('RESET')).length, 1)
  t.is(agent.code, undefined)
})

test('our own streams: the limit is said, nothing is sent', t => {
  const client = new Side('client')
  for (let i = 0; i < MAX_STREAMS; i++) client.open()
  t.throws(() => client.open(), { message: 'limit' })
})

test('a peer that provokes answers without reading them is flooding', t => {
  const agent = new Side('agent')
  let id = 1
  for (let i = 0; i < 200_000 && agent.code === undefined; i++) {
    agent.protocol.arrive(frame(OPEN, id, number(0)), 0)
    const state = agent.readers.at(-1)?.state
    if (state !== undefined && !state.gone) agent.protocol.reset(state, 'cancel')
    id += 2
  }
  t.is(agent.code, 'flood')
  t.deepEqual(names(agent.transmitAll(1)), ['GOAWAY 0 4'])
})

test('PING is answered with its bytes; of several only the last', t => {
  const agent = agentAfter(frame(PING, 0, number(1, 2)), frame(PING, 0, number(3, 4)))
  const bytes = agent.transmitAll(1)
  t.deepEqual(names(bytes), ['PONG 0 8'])
  t.deepEqual(bytes.subarray(8), number(3, 4))
})

test('what arrived may be overwritten or freed at once: the answer to a PING is a copy', t => {
  const agent = new Side('agent')
  const chunk = Buffer.concat([frame(PING, 0, number(3, 4))])
  agent.protocol.arrive(chunk, 0)
  chunk.fill(0xff)
  t.deepEqual(agent.transmitAll(1).subarray(-8), number(3, 4))
})

test('heartbeat: PING every 5 s, no answer for 9 s gives the carrier up', t => {
  const client = new Side('client')
  let pings = 0
  for (let now = 0; now < SILENCE_MS - 1; now += 100) {
    if (now >= client.protocol.deadline) client.protocol.timeout(now)
    pings += names(client.transmitAll(now)).length
  }
  t.is(pings, 2)
  t.is(client.code, undefined)
  t.false(client.protocol.timeout(SILENCE_MS))
})

test('heartbeat: a way that is dead in one direction only is given up within 15 s, too, by both sides', t => {
  for (let lostAt = 20_000; lostAt < 25_000; lostAt += 250) {
    const client = new Side('client')
    const agent = new Side('agent', 1_700)
    const deadAt = new Map<Side, number>()
    for (let now = 0; deadAt.size < 2 && now < 60_000; now += 50) {
      for (const side of [client, agent])
        if (now >= side.protocol.deadline && !side.protocol.timeout(now) && !deadAt.has(side)) deadAt.set(side, now)
      const up = client.transmitAll(now)
      if (up.length > 0 && now < lostAt) agent.protocol.arrive(up, now)
      const down = agent.transmitAll(now)
      if (down.length > 0) client.protocol.arrive(down, now)
    }
    for (const side of [client, agent]) t.true(deadAt.get(side)! - lostAt < 15_000, `${deadAt.get(side)! - lostAt} ms`)
  }
})

test('heartbeat: answers that come late, but come, keep a slow way alive', t => {
  const client = new Side('client')
  const late: { at: number; answer: Buffer }[] = []
  for (let now = 0; now < 60_000; now += 50) {
    if (now >= client.protocol.deadline) t.true(client.protocol.timeout(now), `dead at ${now}`)
    const asked = client.transmitAll(now)
    if (asked.length > 0) late.push({ at: now + 7_000, answer: frame(PONG, 0, asked.subarray(-8)) })
    while (late.length > 0 && late[0]!.at <= now) client.protocol.arrive(late.shift()!.answer, now)
  }
  t.is(client.code, undefined)
})

test('heartbeat: a process that was stopped asks once more before it gives up', t => {
  const client = new Side('client')
  client.protocol.timeout(0)
  client.transmitAll(0)
  t.true(client.protocol.timeout(60_000))
  t.deepEqual(names(client.transmitAll(60_000)), ['PING 0 8'])
  t.true(client.protocol.timeout(64_999))
  client.protocol.arrive(frame(PONG, 0, number(0, 2)), 64_999)
  t.true(client.protocol.timeout(65_000))
  const stopped = new Side('client')
  stopped.protocol.timeout(0)
  stopped.transmitAll(0)
  t.true(stopped.protocol.timeout(60_000))
  stopped.transmitAll(60_000)
  t.false(stopped.protocol.timeout(65_000))
})

test('credit: a stream that is not read holds its window and no more', t => {
  const agent = agentAfter(OPEN_1)
  agent.readers[0]!.reading = false
  const chunk = frame(DATA, 1, Buffer.alloc(OPENER_CREDIT))
  agent.protocol.arrive(chunk, 1)
  t.deepEqual(names(agent.transmitAll(1)), ['CREDIT 1 4'])
  for (let i = 1; i < FIRST_WINDOW / OPENER_CREDIT; i++) agent.protocol.arrive(chunk, 2)
  t.is(agent.code, undefined)
  t.is(agent.readers[0]!.unread, FIRST_WINDOW)
  t.false(names(agent.transmitAll(10)).some(name => name.startsWith('CREDIT')))
  agent.protocol.arrive(frame(DATA, 1, Buffer.of(1)), 11)
  t.is(agent.code, 'credit')
})

test('credit: what all windows add up to is bounded, each new stream gets at least the least', t => {
  const agent = new Side('agent')
  for (let i = 0; i < 2_000; i++) agent.protocol.arrive(frame(OPEN, 1 + 2 * i, number(0)), 0)
  t.is(agent.protocol.streams, 2_000)
  t.true(agent.protocol.promisedBytes < TOTAL_WINDOW)
  t.true(agent.readers.at(-1)!.state!.receive.window >= LEAST_WINDOW)
})

test('sending stops where the credit ends and goes on with more of it', t => {
  const client = new Side('client')
  const stream = client.open()
  client.protocol.send(stream.state!, [Buffer.alloc(100_000)], 0)
  t.deepEqual(names(client.transmitAll(0)), ['OPEN 1 4', `DATA 1 ${OPENER_CREDIT}`])
  t.is(stream.takes, 0)
  client.protocol.arrive(frame(CREDIT, 1, number(200_000)), 1)
  const sent = names(client.transmitAll(1)).map(name => Number(name.split(' ')[2]))
  t.is(
    sent.reduce((sum, length) => sum + length, 0),
    100_000 - OPENER_CREDIT
  )
  t.is(stream.takes, 1)
})

test('small frames share a write, a large payload is passed through without a copy', t => {
  const client = new Side('client')
  const payload = Buffer.alloc(65_536)
  const [small, large] = [client.open(), client.open()]
  client.protocol.arrive(Buffer.concat([frame(CREDIT, 1, number(1e6)), frame(CREDIT, 3, number(1e6))]), 0)
  client.protocol.send(small.state!, [Buffer.alloc(1_000)], 0)
  const first = client.protocol.transmit(0)
  t.is(first.length, 1)
  t.deepEqual(names(first[0]!), ['OPEN 1 4', 'OPEN 3 4', 'DATA 1 1000'])
  client.protocol.send(large.state!, [payload], 0)
  large.state!.sent.add(1e6, 0) // not sparse
  const pieces = client.protocol.transmit(0)
  t.is(pieces.length, 2)
  t.is((pieces[1] as Buffer).buffer, payload.buffer)
})

test('nothing a peer sends throws', t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 }), chunks => {
      const agent = agentAfter(OPEN_1)
      for (const chunk of chunks) agent.protocol.arrive(chunk, 1)
      agent.transmitAll(2)
      return true
    }),
    { numRuns: 500 }
  )
  t.pass()
})
