import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { KtError } from '../../../lib/errors.ts'
import { openCarrier } from '../../../lib/kube/carrier/carrier.ts'
import { control, data, goAway, reply, reset } from '../_support/spdy-server.ts'
import { clientFrames, frame, message, PREAMBLE, serve } from '../_support/websocket-server.ts'

const TARGET = { pod: 'shadow', port: 7070 }
const PROTOCOL = 'SPDY/3.1+portforward.k8s.io'
const CLOSE_1000 = frame(Buffer.of(3, 232), 8)
const TAKEN = frame(Buffer.concat([reply(1), reply(3)]))
/** Both streams end, as when the program in the pod closes its connection. */
const ENDED = frame(Buffer.concat([data(3, '', true), data(1, '', true)]))

async function carrierTo(t: ExecutionContext, accepted: (socket: Socket, request: IncomingMessage) => void) {
  const server = await serve(accepted, undefined, PROTOCOL)
  t.teardown(() => server.close())
  return await openCarrier(server.cluster, TARGET)
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** What the client has sent: the WebSocket's end, and the SPDY frames before it. */
function sent(bytes: Buffer): { closed: boolean; frames: Buffer[]; largest: number } {
  const { frames } = clientFrames(bytes)
  const messages = frames.filter(({ opcode }) => opcode === 2).map(({ payload }) => payload)
  let rest: Buffer = Buffer.concat(messages)
  const spdy: Buffer[] = []
  while (rest.length > 0) {
    const length = 8 + rest.readUIntBE(5, 3)
    spdy.push(rest.subarray(0, length))
    rest = rest.subarray(length)
  }
  const largest = Math.max(...messages.map(({ length }) => length))
  return { closed: frames.some(({ opcode }) => opcode === 8), frames: spdy, largest }
}

test('the streams are opened with the port, and data waits until its stream is taken', async t => {
  let url = ''
  let received = Buffer.alloc(0)
  let peer: Socket | undefined
  const carrier = await carrierTo(t, (socket, request) => {
    url = request.url ?? ''
    peer = socket
    socket.on('data', chunk => (received = Buffer.concat([received, chunk])))
  })
  t.is(url, '/api/v1/namespaces/default/pods/shadow/portforward')
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251))
  carrier.write(bytes.subarray(0, 3))
  carrier.write(bytes.subarray(3))
  carrier.end()
  while (sent(received).frames.length < 2) await sleep(5)
  await sleep(50) // for what must not come
  const opened = sent(received).frames
  t.is(opened.length, 2)
  for (const [i, type] of [...'ed'].entries()) {
    t.regex(opened[i]!.toString('latin1'), new RegExp(`streamtype.{4}${type === 'e' ? 'error' : 'data'}`, 's'))
    t.regex(opened[i]!.toString('latin1'), /port.{4}7070.{4}requestid.{4}0/s)
  }
  t.is(opened[0]![4], 1, 'the stream of the complaint is ended on our side')

  peer!.write(TAKEN)
  while (sent(received).frames.at(-1)![4] !== 1) await sleep(5)
  const { frames, closed, largest } = sent(received)
  t.false(closed, 'the goodbye waits for the end of the runtime')
  t.true(largest <= 64 * 1024 + 72)
  t.true(frames.slice(2).every(f => f.readUInt32BE(0) === 3))
  t.true(Buffer.concat(frames.slice(2).map(f => f.subarray(8))).equals(bytes))
  peer!.write(ENDED)
  await once(carrier.resume(), 'close')
  while (!sent(received).closed) await sleep(5)
})

test('data arrives however the messages are cut, and both ends make the end', async t => {
  const bytes = Buffer.concat([reply(1), reply(3), data(3, 'hel'), data(7, 'x'), data(3, 'lo'), data(3, '', true)])
  for (const size of [1, 5, 1000]) {
    const carrier = await carrierTo(t, socket => {
      for (let at = 0; at < bytes.length; at += size) socket.write(frame(bytes.subarray(at, at + size)))
      setTimeout(() => socket.write(frame(reset(1))), 20)
    })
    t.is(await text(carrier), 'hello')
  }
})

test('the close of the API server is an end, and nothing that follows an end matters', async t => {
  for (const end of [frame(goAway()), ENDED]) {
    const last = Buffer.concat([TAKEN, frame(data(3, 'x')), end, CLOSE_1000, frame(data(3, 'late'))])
    t.is(await text(await carrierTo(t, socket => void socket.write(last))), 'x')
  }
})

test('a complaint before and behind the reset of the data is KT_CARRIER_REFUSED', async t => {
  const complaint = frame(data(1, 'error forwarding port 7070: connect: connection refused'))
  for (const order of [
    [complaint, frame(reset(3)), frame(reset(1))],
    [frame(reset(3)), complaint, frame(reset(1))],
    [complaint, CLOSE_1000]
  ]) {
    const carrier = await carrierTo(t, socket => void socket.write(Buffer.concat([TAKEN, ...order])))
    const error = await t.throwsAsync(text(carrier), { instanceOf: KtError, message: /nothing listens there$/ })
    t.is(error?.code, 'KT_CARRIER_REFUSED')
  }
})

test('a connection that breaks, a close before the pod has answered, and bytes that are no SPDY are KT_CARRIER_LOST', async t => {
  for (const last of [
    (s: Socket) => s.destroy(),
    (s: Socket) => void s.write(ENDED),
    (s: Socket) => void s.write(CLOSE_1000),
    (s: Socket) => void s.write(frame(Buffer.from('8002000600000004', 'hex'))),
    (s: Socket) => void s.write(frame(control(6, Buffer.of(1))))
  ]) {
    const carrier = await carrierTo(t, socket => {
      socket.write(TAKEN)
      setTimeout(() => last(socket), 20)
    })
    const error = await t.throwsAsync(text(carrier), { instanceOf: KtError })
    t.is(error?.code, 'KT_CARRIER_LOST')
  }
})

test('whatever a server sends, the carrier ends with a KtError or an end', async t => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(reply(1), reply(3), data(1, 'no'), data(3, 'x'), data(3, '', true), reset(1), reset(3), goAway())
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async pieces => {
      const carrier = await carrierTo(t, socket => void socket.end(Buffer.concat(pieces.map(part => frame(part)))))
      const result = await text(carrier).catch((error: unknown) => error)
      return typeof result === 'string' || result instanceof KtError
    }),
    { numRuns: 40 }
  )
  t.pass()
})

test('a ping of the server is answered, an answer is not', async t => {
  let received = Buffer.alloc(0)
  const carrier = await carrierTo(t, socket => {
    socket.on('data', chunk => (received = Buffer.concat([received, chunk])))
    socket.write(frame(Buffer.concat([control(6, Buffer.of(0, 0, 0, 3)), control(6, Buffer.of(0, 0, 0, 4))])))
  })
  while (sent(received).frames.length < 3) await sleep(5)
  await sleep(20)
  t.deepEqual(sent(received).frames.slice(2), [control(6, Buffer.of(0, 0, 0, 4))])
  carrier.destroy()
})

test('a server that does not read stops the writer, a reader that does not read stops the server', async t => {
  let poured = 0
  const carrier = await carrierTo(t, socket => {
    socket.write(TAKEN)
    socket.pause()
    const block = frame(data(3, Buffer.alloc(32 * 1024)))
    const pour = () => {
      for (let more = true; more && poured < 64 * 2 ** 20; poured += 32 * 1024) more = socket.write(block)
      socket.once('drain', pour)
    }
    pour()
  })
  const block = Buffer.alloc(64 * 1024)
  let written = 0
  const full = (async () => {
    for (; written < 64 * 2 ** 20; written += block.length) if (!carrier.write(block)) await once(carrier, 'drain')
  })()
  full.catch(() => {}) // the carrier is destroyed below
  await sleep(600)
  t.true(written > 0 && written < 64 * 2 ** 20, `${written} bytes were written`)
  t.true(poured < 32 * 2 ** 20, `${poured} bytes were taken`)
  t.true(carrier.writableLength <= 256 * 1024 && carrier.readableLength <= 256 * 1024)
  carrier.destroy()
})

test('a server that does not know SPDY is asked for channels, and asked once only', async t => {
  for (const refusal of ['403 Forbidden', '400 Bad Request', '101 Switching Protocols']) {
    let asked = 0
    const server = await serve(
      socket => void socket.write(Buffer.concat([PREAMBLE, message(0, 'hello'), CLOSE_1000])),
      (socket, request) => {
        if (request.headers['sec-websocket-protocol'] !== PROTOCOL) return false
        asked++
        if (refusal.startsWith('101')) return 'another'
        socket.end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\n\r\n`)
        return true
      }
    )
    t.teardown(() => server.close())
    for (let i = 0; i < 3; i++) t.is(await text(await openCarrier(server.cluster, TARGET)), 'hello')
    t.is(asked, 1)
  }
})

test('a pod that is not there is not asked for twice', async t => {
  let asked = 0
  const server = await serve(
    () => {},
    socket => {
      asked++
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 28\r\n\r\n{"message":"pods not found"}')
      return true
    }
  )
  t.teardown(() => server.close())
  const error = await t.throwsAsync(openCarrier(server.cluster, TARGET), { instanceOf: KtError })
  t.is(error?.code, 'KT_NOT_FOUND')
  t.is(asked, 1)
})
