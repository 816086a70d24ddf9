// Whatever bytes a peer sends: no exception, no bound broken, and after a violation nothing but GOAWAY.
import test from 'ava'
import fc from 'fast-check'
import { TOTAL_WINDOW } from '../../lib/mux/credit.ts'
import { agentHandshake } from '../../lib/tunnel/handshake.ts'
import { decodeRequest } from '../../lib/tunnel/request.ts'
import { keyPair } from '../_support/agent.ts'
import { plainPair } from '../_support/carriers.ts'
import { frame, names, Side } from '../mux/_wire.ts'

const LIMIT_MS = Number(process.env.KT_FUZZ_MS ?? 10_000)
const OPTIONS = { numRuns: Number.POSITIVE_INFINITY, interruptAfterTimeLimit: LIMIT_MS, markInterruptAsFailure: false }

const LENGTHS = [undefined, 4, 4, 0, 4, 8, 8, 4, 8]
/** Mostly frames that may exist, of few streams, so that they get past the first check. */
const likely = fc
  .record({
    type: fc.nat({ max: 9 }),
    id: fc.nat({ max: 6 }),
    payload: fc.uint8Array({ minLength: 1, maxLength: 300 })
  })
  .map(({ type, id, payload }) => {
    const length = LENGTHS[type] ?? payload.length
    const whole = Buffer.alloc(type === 1 ? Math.max(4, payload.length) : length)
    whole.set(payload.subarray(0, whole.length))
    return frame(type, type >= 5 ? 0 : id, whole)
  })
const chunk = fc.oneof({ weight: 20, arbitrary: likely }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) })
const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('arrive' as const), chunk }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('open', 'send', 'finish', 'reset', 'late', 'stop' as const), chunk })
  }
)

test('frames into both roles, between acts of our own', t => {
  fc.assert(
    fc.property(fc.constantFrom('client', 'agent'), fc.array(act, { maxLength: 80 }), (role, acts) => {
      const side = new Side(role)
      const own = [side.open()]
      let now = 0
      for (const { kind, chunk: bytes } of acts) {
        now += kind === 'late' ? 6_000 : 1
        const streams = [...own, ...side.readers]
        const reader = streams[bytes.length % streams.length]!
        if (kind === 'arrive') side.protocol.arrive(bytes, now)
        else if (kind === 'open' && !side.protocol.over) own.push(side.open(bytes))
        else if (kind === 'send' && !reader.state!.finished) side.protocol.send(reader.state!, [bytes], now)
        else if (kind === 'finish' && reader.state!.queued === 0) side.protocol.finish(reader.state!)
        else if (kind === 'reset') side.protocol.reset(reader.state!, 'cancel')
        else if (kind === 'stop') reader.reading = false
        side.protocol.timeout(now)
        const sent = names(side.transmitAll(now))
        if (side.protocol.promisedBytes > TOTAL_WINDOW || side.protocol.promisedBytes < 0) return false
        for (const { unread, state } of side.readers) if (unread > state!.receive.window && !state!.gone) return false
        if (!side.protocol.over) continue
        if (side.code !== 'timeout' && side.theirs === false && sent.at(-1) !== 'GOAWAY 0 4') return false
        return side.transmitAll(now + 1).length === 0 && side.protocol.streams === 0
      }
      return true
    }),
    OPTIONS
  )
  t.pass()
})

test('requests', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4_100 }), bytes => {
      const request = decodeRequest(bytes)
      return request === undefined || request.kind.length > 0
    }),
    OPTIONS
  )
  t.pass()
})

test('handshakes of strangers', async t => {
  const { publicKey } = keyPair()
  const instance = Buffer.alloc(16)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 128 }), { maxLength: 5 }), async chunks => {
      const [near, far] = plainPair()
      near.on('error', () => {}).resume()
      for (const bytes of chunks) near.write(bytes)
      near.end()
      return await agentHandshake(far, { publicKey, instance }).then(
        () => false,
        () => true
      )
    }),
    OPTIONS
  )
  t.pass()
})
