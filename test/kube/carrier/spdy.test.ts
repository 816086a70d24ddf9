import { constants, createInflate } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { dataHeader, HEADER_BYTES, openStreams, pingFrame, SpdyReader } from '../../../lib/kube/carrier/spdy.ts'
import { control, data, goAway, reply, reset } from '../_support/spdy-server.ts'

type Event = [kind: 'data', stream: number, text: string] | [kind: 'reply' | 'over' | 'ping', id: number]

/** What a reader makes of bytes that come in pieces of these sizes, over and over; parts of the same data are put together. */
function read(bytes: Uint8Array, sizes: number[] = [bytes.length]): { events: Event[]; wrong: string | undefined } {
  const events: Event[] = []
  const reader = new SpdyReader({
    data: (stream, part) => {
      const last = events.at(-1)
      const text = Buffer.from(part).toString('latin1')
      if (last?.[0] === 'data' && last[1] === stream) last[2] += text
      else events.push(['data', stream, text])
    },
    reply: stream => events.push(['reply', stream]),
    over: stream => events.push(['over', stream]),
    ping: id => events.push(['ping', id])
  })
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1)
    const wrong = reader.push(bytes.subarray(at, at + size))
    if (wrong !== undefined) return { events, wrong }
    at += size
  }
  return { events, wrong: undefined }
}

/** Header blocks, read as the server reads them: one zlib context, fed with one block after the other. */
async function inflate(blocks: Uint8Array[]): Promise<string[]> {
  const inflater = createInflate({ finishFlush: constants.Z_SYNC_FLUSH })
  const texts: string[] = []
  for (const block of blocks) {
    inflater.write(block)
    await new Promise(done => inflater.flush(constants.Z_SYNC_FLUSH, () => done(undefined)))
    texts.push((inflater.read() as Buffer | null)?.toString('latin1') ?? '')
  }
  return texts
}

test('streams are opened as the draft says, in one compression context', async t => {
  const bytes = Buffer.from(
    openStreams([
      { id: 1, headers: { streamtype: 'error', port: '80' }, final: true },
      { id: 3, headers: { port: '80' } }
    ])
  )
  t.is(bytes.toString('hex', 0, 5), '8003000101')
  const first = bytes.readUIntBE(5, 3)
  const next = bytes.subarray(HEADER_BYTES + first)
  t.is(next.toString('hex', 0, 5), '8003000100')
  t.is(HEADER_BYTES + next.readUIntBE(5, 3), next.length)
  t.is(bytes.toString('hex', 8, 18), '00000001000000000000')
  t.is(next.toString('hex', 8, 18), '00000003000000000000')
  t.deepEqual(await inflate([bytes.subarray(18, HEADER_BYTES + first), next.subarray(18)]), [
    '\0\0\0\x02\0\0\0\x0astreamtype\0\0\0\x05error\0\0\0\x04port\0\0\0\x0280',
    '\0\0\0\x01\0\0\0\x04port\0\0\0\x0280'
  ])
})

test('headers of data and pings', t => {
  t.is(Buffer.from(dataHeader(3, 65_600)).toString('hex'), '0000000300010040')
  t.is(Buffer.from(dataHeader(3, 0, true)).toString('hex'), '0000000301000000')
  t.is(Buffer.from(pingFrame(4)).toString('hex'), '800300060000000400000004')
})

test('what is written is read, however it is cut', t => {
  const ours = fc.record({
    stream: fc.integer({ min: 1, max: 0x7fffffff }),
    text: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 300 }),
    final: fc.boolean()
  })
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(ours), sizes, (frames, cuts) => {
      const bytes: Uint8Array[] = []
      const whole: Event[] = []
      for (const { stream, text, final } of frames) {
        bytes.push(dataHeader(stream, text.length, final), Buffer.from(text, 'latin1'), pingFrame(stream))
        whole.push(['data', stream, text])
        if (final) whole.push(['over', stream])
        whole.push(['ping', stream])
      }
      const { events, wrong } = read(Buffer.concat(bytes), cuts)
      return wrong === undefined && JSON.stringify(events) === JSON.stringify(whole)
    })
  )
  t.pass()
})

test('every frame of a server is told or left out, in any chunking', t => {
  const bytes = Buffer.concat([
    control(4, Buffer.alloc(12)), // SETTINGS
    reply(1, true),
    reply(3),
    data(3, 'hello'),
    control(9, Buffer.alloc(8)), // WINDOW_UPDATE
    data(3, '', true),
    control(8, Buffer.of(0, 0, 0, 5, 1, 2, 3), 1), // HEADERS with FIN
    reset(1),
    goAway(),
    control(6, Buffer.of(0, 0, 0, 2))
  ])
  const expected: Event[] = [
    ['reply', 1],
    ['over', 1],
    ['reply', 3],
    ['data', 3, 'hello'],
    ['over', 3],
    ['over', 5],
    ['over', 1],
    ['ping', 2]
  ]
  for (const size of [1, 2, 3, 7, 8, 9, 1000]) t.deepEqual(read(bytes, [size]), { events: expected, wrong: undefined })
})

test('what is no SPDY/3 is said, not thrown', t => {
  t.regex(read(Buffer.from('8002000600000004', 'hex')).wrong ?? '', /version 2/)
  t.regex(read(Buffer.from('0000000000000004', 'hex')).wrong ?? '', /no stream/)
  t.regex(read(Buffer.from('8003000200ffffff', 'hex')).wrong ?? '', /too long/)
  t.regex(read(Buffer.from('800300060000000300000000', 'hex')).wrong ?? '', /too short/)
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), bytes => read(bytes, [3]).events.length >= 0))
})
