// Sessions that outlive their carriers: cut anywhere, no byte is lost, doubled or out of order.
import type { Duplex } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { giveBlock, takeBlock } from '../../lib/blocks.ts'
import { ACK, OPEN } from '../../lib/mux/frame.ts'
import { SILENCE_MS } from '../../lib/mux/heartbeat.ts'
import { Replay } from '../../lib/mux/replay.ts'
import { MuxSession } from '../../lib/mux/session.ts'
import type { MuxResetError, MuxStream } from '../../lib/mux/stream.ts'
import { choppyPair, plainPair } from '../_support/carriers.ts'
import { random } from '../_support/random.ts'
import { bytesOf, expected, hashOf, pour } from '../compliance/duplex.ts'
import { frame, number, Side } from './_wire.ts'

/** What a side has said to the other, cut where the carrier was: `lost` bytes of the end never arrive. */
function carry(from: Side, to: Side, now: number, lost = 0): void {
  const bytes = from.transmitAll(now)
  to.protocol.arrive(bytes.subarray(0, Math.max(0, bytes.length - lost)), now)
}

function reconnect(a: Side, b: Side, now: number): boolean {
  a.protocol.suspend()
  b.protocol.suspend()
  const [ofA, ofB] = [a.protocol.receivedBytes, b.protocol.receivedBytes]
  return a.protocol.resume(ofB, now) && b.protocol.resume(ofA, now)
}

/** A conversation of which each frame kind has a part: OPEN, DATA both ways, CREDIT, FIN, RESET. Returns what was heard. */
function conversation(cutAt: number): { heard: string; whole: number; over: boolean } {
  const client = new Side('client')
  const agent = new Side('agent')
  let heard = ''
  let sent = 0
  let cut = false
  agent.onOpened = (reader, request) => {
    heard += `open ${Buffer.from(request)} `
    reader.onData = bytes => {
      heard += String(Buffer.from(bytes))
    }
  }
  let now = 0
  const turn = (): void => {
    now += 5
    const bytes = client.transmitAll(now)
    const lost = !cut && sent + bytes.length > cutAt ? sent + bytes.length - cutAt : 0
    sent += bytes.length
    agent.protocol.arrive(bytes.subarray(0, bytes.length - lost), now)
    if (lost > 0) {
      cut = true
      agent.transmitAll(now) // all of that is lost, too
      reconnect(client, agent, now)
      carry(client, agent, now)
    }
    carry(agent, client, now)
  }
  const first = client.open(Buffer.from('first'))
  const answers: string[] = []
  first.onData = bytes => answers.push(String(Buffer.from(bytes)))
  client.protocol.send(first.state!, [Buffer.from('abc'), Buffer.from('def')], now)
  turn()
  agent.protocol.send(agent.readers[0]!.state!, [Buffer.from('answer')], now)
  const second = client.open(Buffer.from('second'))
  client.protocol.send(second.state!, [Buffer.from('<second>')], now)
  turn()
  client.protocol.finish(first.state!)
  client.protocol.reset(second.state!, 'cancel')
  turn()
  agent.protocol.finish(agent.readers[0]!.state!)
  turn()
  heard += ` ends ${agent.readers.map(({ ends }) => ends)} resets ${agent.readers.map(({ resets }) => resets)}`
  heard += ` answers ${answers} ${first.ends} left ${client.protocol.streams + agent.protocol.streams}`
  return { heard, whole: sent, over: client.code !== undefined || agent.code !== undefined }
}

test('a carrier cut at every byte: the conversation is the same', t => {
  const uncut = conversation(Number.POSITIVE_INFINITY)
  t.regex(uncut.heard, /abcdef.*<second>.* ends 1,0 resets ,cancel answers answer 1 left 0/)
  for (let at = 0; at < uncut.whole; at++) {
    const { heard, over } = conversation(at)
    t.is(heard, uncut.heard, `cut at ${at}`)
    t.false(over)
  }
})

/** Two sessions over pairs of carriers that are cut again and again; `resumed` counts. */
class Cuttable {
  readonly client: MuxSession
  readonly agent: MuxSession
  readonly #pair: () => [Duplex, Duplex]
  #carriers: [Duplex, Duplex]
  resumed = 0

  constructor(pair: () => [Duplex, Duplex], onStream: (stream: MuxStream) => void) {
    this.#pair = pair
    this.#carriers = pair()
    const [near, far] = this.#carriers
    this.agent = new MuxSession(far, { role: 'agent', onStream, onDetached() {} })
    this.client = new MuxSession(near, { role: 'client', onStream: stream => stream.reset('cancel'), onDetached() {} })
  }

  /** One end notices; the other hears of it when the client comes back, as with a black hole. */
  cut(nearFirst: boolean): void {
    this.#carriers[nearFirst ? 0 : 1].destroy()
  }

  reconnect(): boolean {
    this.client.detach()
    this.agent.detach()
    this.#carriers = this.#pair()
    const [near, far] = this.#carriers
    const [ofClient, ofAgent] = [this.client.receivedBytes, this.agent.receivedBytes]
    this.resumed += 1
    return this.agent.resume(far, ofClient) && this.client.resume(near, ofAgent)
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.agent.close('lost')
  }
}

test('random streams over carriers that are cut at random: every byte, in order, and nothing is left', async t => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 8 }), async (seed, count) => {
      const dice = random(seed)
      const pair = new Cuttable(
        () => choppyPair(() => 1 + Math.floor(dice() * dice() * 70_000), 65_536),
        stream => stream.pipe(stream)
      )
      let going = true
      const cutter = (async () => {
        while (going) {
          await new Promise(resolve => setTimeout(resolve, dice() * 12))
          pair.cut(dice() < 0.5)
          await new Promise(resolve => setTimeout(resolve, dice() * 4))
          if (going && !pair.reconnect()) return false
        }
        return true
      })()
      const right = await Promise.all(
        Array.from({ length: count }, async (_, i) => {
          const size = Math.floor(dice() ** 2 * 1_500_000)
          const stream = pair.client.open(Buffer.of(i))
          const hash = hashOf(stream)
          await pour(stream, size, i)
          return (await hash) === expected(size, i)
        })
      )
      going = false
      const kept = await cutter
      if (!pair.client.attached) pair.reconnect()
      const free = pair.client.stats.streams === 0 && pair.client.stats.promisedBytes === 0
      await pair.close()
      return right.every(Boolean) && kept && free
    }),
    { numRuns: 25 }
  )
  t.pass()
})

test('what is opened and written without a carrier leaves with the next one', async t => {
  const pair = new Cuttable(plainPair, stream => stream.pipe(stream))
  pair.client.detach()
  pair.agent.detach()
  const stream = pair.client.open(Buffer.of(1))
  stream.end('patience')
  t.false(pair.client.attached)
  t.true(pair.reconnect())
  t.is(String(await bytesOf(stream)), 'patience')
  await pair.close()
})

test('an old carrier has no word any more', async t => {
  const pair = new Cuttable(plainPair, stream => stream.pipe(stream))
  const [near, far] = plainPair()
  far.resume()
  t.true(pair.client.resume(near, 0))
  const before = pair.client.receivedBytes
  t.true(pair.reconnect())
  far.write('rubbish that would end the session')
  near.destroy(new Error('late'))
  const stream = pair.client.open(Buffer.of(1))
  stream.end('well')
  t.is(String(await bytesOf(stream)), 'well')
  t.true(pair.client.receivedBytes > before)
  await pair.close()
})

test('a position that cannot be ends the session and resets its streams', async t => {
  for (const position of [-1, 1e6]) {
    const pair = new Cuttable(plainPair, () => {})
    const stream = pair.client.open(Buffer.of(1))
    const reset = new Promise<MuxResetError>(resolve => stream.once('error', resolve as (error: Error) => void))
    pair.client.detach()
    t.false(pair.client.resume(plainPair()[0], position))
    t.is((await pair.client.closed).code, 'protocol')
    t.is((await reset).resetCode, 'closed')
    await pair.agent.close('lost')
  }
})

test('without a carrier nothing is due: no PING, no silence', t => {
  const client = new Side('client')
  client.protocol.timeout(0)
  client.transmitAll(0)
  client.protocol.suspend()
  t.is(client.protocol.deadline, Number.POSITIVE_INFINITY)
  t.true(client.protocol.timeout(SILENCE_MS * 20))
  t.true(client.protocol.resume(0, SILENCE_MS * 20))
  client.transmitAll(SILENCE_MS * 20)
  t.true(client.protocol.timeout(SILENCE_MS * 20 + 100))
})

test('streams opened without a carrier are bounded', t => {
  const client = new Side('client')
  client.protocol.suspend()
  let opened = 0
  for (; opened < 1_000_000; opened++) {
    const stream = client.protocol.open(Buffer.alloc(200), new Side('client').open())
    if (typeof stream === 'string') break
    client.protocol.reset(stream, 'cancel')
  }
  t.true(opened > 1_000 && opened < 10_000, String(opened))
  t.is(client.code, undefined)
})

test('a peer that acknowledges nothing ends the session before memory does', t => {
  const agent = new Side('agent')
  let now = 0
  for (let id = 1; agent.code === undefined && now < 5_000_000; id += 2) {
    now += 1
    agent.protocol.arrive(frame(OPEN, id, number(0)), now)
    const state = agent.readers.at(-1)!.state!
    agent.readers.length = 0
    agent.protocol.reset(state, 'cancel')
    agent.transmitAll(now)
  }
  t.is(agent.code, 'flood')
})

test('an ACK may repeat what the handshake has told, but never take back', t => {
  const client = new Side('client')
  client.protocol.timeout(0)
  const length = client.transmitAll(0).length
  client.protocol.suspend()
  t.true(client.protocol.resume(length, 1))
  client.protocol.arrive(frame(ACK, 0, number(0, length - 4)), 2)
  t.is(client.code, undefined)
  client.protocol.arrive(frame(ACK, 0, number(0, length - 5)), 3)
  t.is(client.code, 'protocol')
})

test('blocks are given back when they have arrived, and not before', t => {
  const replay = new Replay()
  const block = takeBlock()
  replay.keep([block.subarray(0, 30_000), block.subarray(30_000)])
  replay.keepBlock(block, block.length)
  replay.acknowledged(block.length - 1)
  const other = takeBlock()
  t.not(other.buffer, block.buffer)
  replay.acknowledged(block.length)
  t.is(takeBlock().buffer, block.buffer)
  giveBlock(other)
})

test('what is sent again is what was sent, from any position', t => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (sizes, part) => {
        const replay = new Replay()
        const pieces = sizes.map((size, i) => Buffer.alloc(size, i + 1))
        replay.keep(pieces)
        const all = Buffer.concat(pieces)
        const from = Math.floor(part * all.length)
        for (let round = 0; round < 2; round++) {
          replay.rewind(from)
          const again: Uint8Array[] = []
          while (replay.pending) again.push(...replay.next())
          if (!Buffer.concat(again).equals(all.subarray(from))) return false
        }
        return true
      }
    )
  )
  t.pass()
})
