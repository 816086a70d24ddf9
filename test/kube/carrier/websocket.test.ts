import test from 'ava'
import fc from 'fast-check'
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientHeader,
  controlFrame,
  FrameReader,
  PING,
  PONG
} from '../../../lib/kube/carrier/websocket.ts'

/** A frame as a server sends it: no mask. Naive on purpose. */
function serverFrame(opcode: number, payload: Uint8Array, final = true): Buffer {
  const length = payload.length
  const header = [(final ? 0x80 : 0) | opcode]
  if (length < 126) header.push(length)
  else if (length < 65536) header.push(126, length >> 8, length & 255)
  else header.push(127, 0, 0, 0, 0, (length >>> 24) & 255, (length >>> 16) & 255, (length >>> 8) & 255, length & 255)
  return Buffer.concat([Buffer.from(header), payload])
}

/** The same frame read by a naive server: masked, whole in one buffer. */
function readClientFrame(bytes: Uint8Array): { opcode: number; payload: Buffer; size: number } {
  const buffer = Buffer.from(bytes)
  const short = buffer[1]! & 0x7f
  const at = short === 127 ? 10 : short === 126 ? 4 : 2
  const length = short === 127 ? Number(buffer.readBigUInt64BE(2)) : short === 126 ? buffer.readUInt16BE(2) : short
  const mask = buffer.subarray(at, at + 4)
  const payload = Buffer.from(buffer.subarray(at + 4, at + 4 + length))
  for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i % 4]!
  return { opcode: buffer[0]! & 0x0f, payload, size: at + 4 + length }
}

interface Read {
  /** Whole messages, put together again. */
  messages: string[]
  controls: [number, string][]
  wrong: string | undefined
}

function read(chunks: Uint8Array[]): Read {
  const messages: Buffer[][] = []
  const controls: [number, string][] = []
  const reader = new FrameReader({
    data: (bytes, first) => {
      if (first) messages.push([])
      messages.at(-1)!.push(Buffer.from(bytes)) // a view: copied before it returns
    },
    control: (opcode, payload) => controls.push([opcode, Buffer.from(payload).toString('hex')])
  })
  let wrong: string | undefined
  for (const chunk of chunks) wrong ??= reader.push(chunk)
  return { messages: messages.map(parts => Buffer.concat(parts).toString('hex')), controls, wrong }
}

function cut(bytes: Buffer, sizes: number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length]!)
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

const LENGTHS = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(125, 126, 127, 65_535, 65_536, 70_000))
/** A message: the lengths of its fragments; and whether a ping stands between them. */
const MESSAGE = fc.record({ fragments: fc.array(LENGTHS, { minLength: 1, maxLength: 3 }), ping: fc.boolean() })

test('any chunking and any fragmentation give the same messages and control frames', t => {
  const property = fc.property(
    fc.array(MESSAGE, { maxLength: 4 }),
    fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }),
    (plan, sizes) => {
      const frames: Buffer[] = []
      const expected: string[] = []
      let pings = 0
      for (const { fragments, ping } of plan) {
        const whole: Buffer[] = []
        for (const [i, length] of fragments.entries()) {
          const payload = Buffer.alloc(length, i + 1)
          whole.push(payload)
          frames.push(serverFrame(i === 0 ? BINARY : CONTINUATION, payload, i === fragments.length - 1))
          if (ping && i < fragments.length - 1) {
            frames.push(serverFrame(PING, Buffer.of(pings)))
            pings++
          }
        }
        const message = Buffer.concat(whole)
        if (message.length > 0) expected.push(message.toString('hex')) // an empty message has no part to report
      }
      const { messages, controls, wrong } = read(cut(Buffer.concat(frames), sizes))
      return (
        wrong === undefined &&
        messages.join() === expected.join() &&
        controls.length === pings &&
        controls.every(([opcode]) => opcode === PING)
      )
    }
  )
  fc.assert(property, { numRuns: 300 })
  t.pass()
})

test('arbitrary bytes never make the reader throw', t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), chunks => {
      read(chunks)
      return true
    }),
    { numRuns: 500 }
  )
  t.pass()
})

test('a client frame is read back as it was meant, and its mask is there', t => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
    const payload = Buffer.alloc(length, 5)
    const frame = Buffer.concat([clientHeader(BINARY, length), payload])
    t.is(frame[1]! & 0x80, 0x80)
    const back = readClientFrame(frame)
    t.is(back.opcode, BINARY)
    t.is(back.size, frame.length)
    t.true(back.payload.equals(payload))
  }
  t.deepEqual(readClientFrame(controlFrame(PONG, Buffer.from('hi'))), {
    opcode: PONG,
    payload: Buffer.from('hi'),
    size: 8
  })
})

test('what RFC 6455 forbids is refused with a reason', t => {
  const cases: [RegExp, Buffer][] = [
    [/extension/, Buffer.of(0xc2, 0)],
    [/masked/, Buffer.of(0x82, 0x80, 0, 0, 0, 0)],
    [/opcode 3/, Buffer.of(0x83, 0)],
    [/opcode 11/, Buffer.of(0x8b, 0)],
    [/control frame/, Buffer.of(0x09, 0)],
    [/control frame/, Buffer.of(0x88, 126, 0, 200)],
    [/out of place/, Buffer.of(0x80, 0)],
    [/out of place/, Buffer.concat([serverFrame(BINARY, Buffer.of(1), false), serverFrame(BINARY, Buffer.of(1))])],
    [/too long/, Buffer.of(0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255)]
  ]
  for (const [message, bytes] of cases) t.regex(read([bytes]).wrong ?? '', message)
})

test('a close frame arrives with its code', t => {
  t.deepEqual(read([serverFrame(CLOSE, Buffer.of(3, 232))]).controls, [[CLOSE, '03e8']])
})
