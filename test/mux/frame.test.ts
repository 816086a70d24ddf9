import test from 'ava'
import fc from 'fast-check'
import { Decoder } from '../../lib/mux/decoder.ts'
import {
  ACK,
  DATA,
  GOAWAY,
  goAwayCode,
  goAwayNumber,
  MAX_CONTROL,
  MAX_DATA,
  MAX_STREAM_ID,
  OPEN,
  PING,
  RESET,
  resetCode,
  resetNumber,
  setU64,
  u64,
  validHeader,
  writeHeader
} from '../../lib/mux/frame.ts'

interface Frame {
  type: number
  id: number
  payload: Uint8Array
}

const id = fc.integer({ min: 1, max: MAX_STREAM_ID })
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant(DATA), id, payload: fc.uint8Array({ minLength: 1, maxLength: 3_000 }) }),
  fc.record({ type: fc.constant(OPEN), id, payload: fc.uint8Array({ minLength: 4, maxLength: MAX_CONTROL }) }),
  fc.record({ type: fc.constantFrom(2, RESET), id, payload: fc.uint8Array({ minLength: 4, maxLength: 4 }) }),
  fc.record({ type: fc.constant(3), id, payload: fc.constant(new Uint8Array(0)) }),
  fc.record({
    type: fc.constantFrom(PING, 6, ACK),
    id: fc.constant(0),
    payload: fc.uint8Array({ minLength: 8, maxLength: 8 })
  }),
  fc.record({ type: fc.constant(GOAWAY), id: fc.constant(0), payload: fc.uint8Array({ minLength: 4, maxLength: 4 }) })
)

function encode(frames: Frame[]): Buffer {
  return Buffer.concat(
    frames.map(({ type, id: stream, payload }) => {
      const bytes = Buffer.alloc(8 + payload.length)
      writeHeader(bytes, 0, type, payload.length, stream)
      bytes.set(payload, 8)
      return bytes
    })
  )
}

/** Frames as the decoder reports them; pieces of DATA are put together as far as they touch. */
function decode(chunks: Uint8Array[]): { frames: Frame[]; ok: boolean } {
  const frames: Frame[] = []
  const decoder = new Decoder({
    data(stream, bytes) {
      const last = frames.at(-1)
      if (last?.type === DATA && last.id === stream) last.payload = Buffer.concat([last.payload, bytes])
      else frames.push({ type: DATA, id: stream, payload: Uint8Array.from(bytes) })
      return true
    },
    control(type, stream, payload) {
      frames.push({ type, id: stream, payload: Uint8Array.from(payload) })
      return true
    }
  })
  const ok = chunks.every(chunk => decoder.push(chunk))
  return { frames, ok }
}

function cut(bytes: Buffer, sizes: number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

test('decode gives back what was encoded, for any chunking', t => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), sizes, (frames, chunks) => {
      const bytes = encode(frames)
      const whole = decode([bytes])
      const pieces = decode(cut(bytes, chunks))
      const show = ({ frames: list }: { frames: Frame[] }) =>
        list.map(({ type, id: stream, payload }) => [type, stream, Buffer.from(payload).toString('hex')])
      return whole.ok && pieces.ok && JSON.stringify(show(whole)) === JSON.stringify(show(pieces))
    }),
    { numRuns: 200 }
  )
  const frames = [
    { type: OPEN, id: 7, payload: Buffer.from('0000abc') },
    { type: 3, id: 7, payload: Buffer.alloc(0) }
  ]
  t.deepEqual(
    decode(cut(encode(frames), [1])).frames.map(({ type }) => type),
    [OPEN, 3]
  )
})

test('a header that must not be stops the decoder for good', t => {
  for (const [type, length, stream] of [
    [DATA, 0, 1],
    [DATA, MAX_DATA + 1, 1],
    [DATA, 1, 0],
    [OPEN, 3, 1],
    [OPEN, MAX_CONTROL + 1, 1],
    [3, 1, 1],
    [PING, 8, 1],
    [PING, 7, 0],
    [GOAWAY, 4, 3],
    [9, 0, 0],
    [255, 0, 1],
    [3, 0, MAX_STREAM_ID + 1]
  ] as const) {
    const bytes = Buffer.alloc(8)
    writeHeader(bytes, 0, type, length, stream)
    t.false(validHeader(type, length, stream))
    const decoder = new Decoder({ data: () => true, control: () => true })
    t.false(decoder.push(bytes), `type ${type} length ${length} stream ${stream}`)
    t.false(decoder.push(encode([{ type: 3, id: 1, payload: Buffer.alloc(0) }])))
  }
})

test('codes survive their numbers, unknown numbers have a meaning', t => {
  for (const code of ['reset', 'cancel', 'limit', 'refused', 'internal'] as const) {
    t.is(resetCode(resetNumber(code)), code)
  }
  for (const code of ['done', 'protocol', 'credit', 'flood', 'timeout', 'internal', 'replaced', 'exhausted'] as const) {
    t.is(goAwayCode(goAwayNumber(code)), code)
  }
  t.is(resetCode(0), 'reset')
  t.is(resetCode(4_000_000_000), 'reset')
  t.is(goAwayCode(77), 'internal')
  t.is(goAwayCode(8), 'internal')
})

test('u64 is exact up to 2⁵³', t => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), value => {
      const bytes = new Uint8Array(8)
      setU64(bytes, 0, value)
      return u64(bytes, 0) === value
    })
  )
  t.pass()
})
