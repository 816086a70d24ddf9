import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { KtError, type KtErrorCode } from '../../../lib/errors.ts'
import { openCarrier } from '../../../lib/kube/carrier/carrier.ts'
import { clientFrames, frame, message, PREAMBLE, serve } from '../_support/upgrade-server.ts'

const TARGET = { pod: 'shadow', port: 7070 }
const CLOSE_1000 = frame(Buffer.of(3, 232), 8)

async function carrierTo(t: ExecutionContext, accepted: (socket: Socket) => void) {
  const server = await serve(accepted)
  t.teardown(() => server.close())
  return await openCarrier(server.cluster, TARGET)
}

/** All that comes, until the end. */
async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

test('the request carries path, protocol and token', async t => {
  let seen: Record<string, unknown> = {}
  const server = await serve((_socket, request) => {
    seen = {
      url: request.url,
      protocol: request.headers['sec-websocket-protocol'],
      authorization: request.headers.authorization
    }
  })
  t.teardown(() => server.close())
  const carrier = await openCarrier(server.cluster, { ...TARGET, namespace: 'other' })
  t.deepEqual(seen, {
    url: '/api/v1/namespaces/other/pods/shadow/portforward?ports=7070',
    protocol: 'v4.channel.k8s.io',
    authorization: 'Bearer secret'
  })
  carrier.destroy()
})

test('the preamble is no data, however it is cut, and other channels are ignored', async t => {
  const bytes = Buffer.concat([
    PREAMBLE,
    message(7, 'noise'),
    message(0, 'hel'),
    message(0, ''),
    message(0, 'lo'),
    CLOSE_1000
  ])
  const carrier = await carrierTo(t, socket => {
    const next = (at: number) => {
      socket.write(bytes.subarray(at, at + 1))
      if (at + 1 < bytes.length) setImmediate(next, at + 1)
    }
    next(0)
  })
  t.is(await text(carrier), 'hello')
})

test('a fragmented message keeps its channel', async t => {
  const parts = [
    frame(Buffer.from('\0a'), 2, false),
    frame(Buffer.from('b'), 0, false),
    frame(Buffer.from('c'), 0, true)
  ]
  const carrier = await carrierTo(t, socket => void socket.write(Buffer.concat([PREAMBLE, ...parts, CLOSE_1000])))
  t.is(await text(carrier), 'abc')
})

test('bytes that come with the answer are not lost', async t => {
  const carrier = await carrierTo(t, socket => {
    socket.cork()
    socket.write(Buffer.concat([PREAMBLE, message(0, 'early'), CLOSE_1000]))
    socket.uncork()
  })
  t.is(await text(carrier), 'early')
})

test('frames up are whole messages of channel 0, at most 64 KiB and a header, in order', async t => {
  let received = Buffer.alloc(0)
  const carrier = await carrierTo(
    t,
    socket => void socket.on('data', chunk => (received = Buffer.concat([received, chunk])))
  )
  const sent = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251))
  for (const [from, to] of [
    [0, 1],
    [1, 3],
    [3, 150_000],
    [150_000, 150_002],
    [150_002, 200_000]
  ] as const)
    carrier.write(sent.subarray(from, to))
  carrier.end()
  await once(carrier, 'finish')
  while (clientFrames(received).frames.at(-1)?.opcode !== 8) await sleep(5)
  const { frames, rest } = clientFrames(received)
  const data = frames.slice(0, -1)
  t.is(rest.length, 0)
  t.true(data.every(f => f.opcode === 2 && f.payload[0] === 0 && f.payload.length <= 64 * 1024 + 65))
  t.true(Buffer.concat(data.map(f => f.payload.subarray(1))).equals(sent))
  t.true(data.length <= 5, `${data.length}`) // small writes share a frame
})

test('a refused port is KT_CARRIER_REFUSED with a plain word, other complaints are quoted', async t => {
  for (const [complaint, expected] of [
    ['failed to connect to localhost:7070: connection refused', /pod shadow port 7070 failed: nothing listens there$/],
    ['container not running\n (abc)', /failed: container not running \(abc\)$/]
  ] as const) {
    const carrier = await carrierTo(
      t,
      socket => void socket.write(Buffer.concat([PREAMBLE, message(1, complaint), CLOSE_1000]))
    )
    const error = await t.throwsAsync(text(carrier), { instanceOf: KtError, message: expected })
    t.is(error?.code, 'KT_CARRIER_REFUSED')
  }
})

test('a connection that breaks is KT_CARRIER_LOST, not an end', async t => {
  for (const breakIt of [(s: Socket) => s.destroy(), (s: Socket) => s.resetAndDestroy(), (s: Socket) => void s.end()]) {
    const carrier = await carrierTo(t, socket => {
      socket.write(Buffer.concat([PREAMBLE, message(0, 'x')]))
      setTimeout(() => breakIt(socket), 30)
    })
    const error = await t.throwsAsync(text(carrier), { instanceOf: KtError })
    t.is(error?.code, 'KT_CARRIER_LOST')
  }
})

test('a close before the pod has said anything is KT_CARRIER_LOST; bytes that are no frames too', async t => {
  for (const bytes of [Buffer.concat([PREAMBLE, CLOSE_1000]), Buffer.from('HTTP nonsense')]) {
    const carrier = await carrierTo(t, socket => void socket.write(bytes))
    const error = await t.throwsAsync(text(carrier), { instanceOf: KtError })
    t.is(error?.code, 'KT_CARRIER_LOST')
  }
})

test('a ping is answered; we never send one', async t => {
  let received = Buffer.alloc(0)
  const carrier = await carrierTo(t, socket => {
    socket.on('data', chunk => (received = Buffer.concat([received, chunk])))
    socket.write(frame(Buffer.from('are you there'), 9))
  })
  while (clientFrames(received).frames.length === 0) await sleep(5)
  t.deepEqual(clientFrames(received).frames, [{ opcode: 10, payload: Buffer.from('are you there') }])
  carrier.destroy()
})

test('a server that does not read stops the writer, and nothing is lost when it goes on', async t => {
  let socket: Socket | undefined
  const carrier = await carrierTo(t, s => {
    socket = s
    s.pause()
  })
  const block = Buffer.alloc(64 * 1024, 1)
  const total = 64 * 1024 * 1024 // more than loopback's kernel buffers take
  let written = 0
  const writing = (async () => {
    for (; written < total; written += block.length) if (!carrier.write(block)) await once(carrier, 'drain')
    carrier.end()
  })()
  let before = -1
  while (written !== before) {
    before = written
    await sleep(200)
  }
  t.true(written < total, 'the writer was never stopped')
  t.true(carrier.writableLength <= 128 * 1024 + block.length, `${carrier.writableLength} bytes wait`)
  let received = 0
  socket!.on('data', chunk => (received += chunk.length)).resume()
  await writing
  while (received < total) await sleep(5)
  t.pass()
})

test('a reader that does not read stops the server', async t => {
  let accepted = 0
  const carrier = await carrierTo(t, socket => {
    socket.write(PREAMBLE)
    const block = message(0, Buffer.alloc(32 * 1024, 1))
    const pour = () => {
      while (accepted < 64 * 1024 * 1024) {
        accepted += 32 * 1024
        if (!socket.write(block)) return socket.once('drain', pour)
      }
      return socket
    }
    pour()
  })
  await sleep(400)
  const held = accepted
  await sleep(200)
  t.true(accepted - held < 1024 * 1024, 'the server still gets rid of bytes')
  t.true(accepted < 32 * 1024 * 1024, `${accepted} bytes were taken`)
  t.true(carrier.readableLength <= 256 * 1024, `${carrier.readableLength} bytes wait`)
  carrier.destroy()
})

test('abort and silence: the upgrade does not hang', async t => {
  const server = await serve(
    () => {},
    () => true // takes the request and says nothing
  )
  t.teardown(() => server.close())
  await t.throwsAsync(openCarrier(server.cluster, { ...TARGET, signal: AbortSignal.timeout(100) }), {
    name: 'TimeoutError'
  })
})

const REFUSALS: [what: string, answer: string, code: KtErrorCode, message: RegExp][] = [
  [
    'empty 403',
    'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n',
    'KT_CARRIER_REFUSED',
    /does not offer port-forward by WebSocket/
  ],
  [
    'Status in chunks',
    'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n{"message":"pods not found"}\r\n0\r\n\r\n',
    'KT_NOT_FOUND',
    /pods not found/
  ],
  [
    'plain text',
    'HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\nno ports',
    'KT_CARRIER_REFUSED',
    /no port-forward to pod shadow: no ports/
  ],
  ['401', 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}', 'KT_UNAUTHORIZED', /unknown or expired/],
  ['not HTTP', 'SSH-2.0-x\r\n\r\n', 'KT_API_UNREACHABLE', /does not speak HTTP/],
  ['cut', 'HTTP/1.1 5', 'KT_API_UNREACHABLE', /closed before the answer/]
]

for (const [what, answer, code, message] of REFUSALS) {
  test(`refusal: ${what}`, async t => {
    const server = await serve(
      () => {},
      socket => {
        socket.end(answer)
        return true
      }
    )
    t.teardown(() => server.close())
    const error = await t.throwsAsync(openCarrier(server.cluster, TARGET), { instanceOf: KtError, message })
    t.is(error?.code, code)
  })
}

test('what trickles in bulk is read in few turns, and nothing of it waits for long', async t => {
  const parts = 400
  const part = message(0, 'x'.repeat(20_000))
  // As servers do that relay what comes to them: piece by piece, faster than any timer.
  const trickle = async (socket: Socket): Promise<void> => {
    socket.setNoDelay(true).write(PREAMBLE)
    for (let i = 0; i < parts; i++) {
      socket.write(part)
      for (const until = performance.now() + 0.1; performance.now() < until; ) await new Promise(setImmediate)
    }
  }
  const carrier = await carrierTo(t, socket => void trickle(socket))
  let bytes = 0
  let turns = 0
  let last = performance.now()
  const began = last
  carrier.on('turn', () => {
    turns += 1
    last = performance.now()
  })
  await new Promise<void>(done => {
    carrier.on('data', chunk => {
      bytes += chunk.length
      if (bytes === parts * 20_000) done()
    })
  })
  t.true(turns < 10 + last - began, `${turns} turns in ${(last - began).toFixed(0)} ms`)
  carrier.destroy()
})
