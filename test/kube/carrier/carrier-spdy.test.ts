import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { KtError } from '../../../lib/errors.ts'
import type { Cluster } from '../../../lib/kube/api/client.ts'
import { openCarrier } from '../../../lib/kube/carrier/carrier.ts'
import { control, data, goAway, reply, reset } from '../_support/spdy-server.ts'
import { clientFrames, frame, message, PREAMBLE, serve } from '../_support/upgrade-server.ts'

const TARGET = { pod: 'shadow', port: 7070 }
const TUNNELLED = 'SPDY/3.1+portforward.k8s.io'
const BARE = 'portforward.k8s.io'
const CLOSE_1000 = frame(Buffer.of(3, 232), 8)

/** The two ways in which SPDY comes: what its bytes lie in, and what the API server does when the pod is gone. */
interface Way {
  name: string
  protocol: string
  framed(bytes: Uint8Array): Uint8Array
  close(socket: Socket): void
}
const WAYS: Way[] = [
  {
    name: 'in a WebSocket',
    protocol: TUNNELLED,
    framed: bytes => frame(bytes),
    close: socket => void socket.write(CLOSE_1000)
  },
  { name: 'bare', protocol: BARE, framed: bytes => bytes, close: socket => void socket.end() }
]

async function carrierTo(
  t: ExecutionContext,
  { protocol }: Way,
  accepted: (socket: Socket, request: IncomingMessage) => void
) {
  const server = await serve(accepted, undefined, protocol)
  t.teardown(() => server.close())
  return await openCarrier(server.cluster, TARGET)
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** What the client has sent: the SPDY frames, and whether a WebSocket was closed behind them. */
function sent({ protocol }: Way, bytes: Buffer): { closed: boolean; frames: Buffer[]; largest: number } {
  const { frames } = protocol === BARE ? { frames: [{ opcode: 2, payload: bytes }] } : clientFrames(bytes)
  const messages = frames.filter(({ opcode }) => opcode === 2).map(({ payload }) => payload)
  let rest: Buffer = Buffer.concat(messages)
  const spdy: Buffer[] = []
  while (rest.length >= 8 && rest.length >= 8 + rest.readUIntBE(5, 3)) {
    const length = 8 + rest.readUIntBE(5, 3)
    spdy.push(rest.subarray(0, length))
    rest = rest.subarray(length)
  }
  const largest = Math.max(...(protocol === BARE ? spdy : messages).map(({ length }) => length))
  return { closed: frames.some(({ opcode }) => opcode === 8), frames: spdy, largest }
}

for (const way of WAYS) {
  const { framed, close } = way
  const taken = framed(Buffer.concat([reply(1), reply(3)]))
  /** Both streams end, as when the program in the pod closes its connection. */
  const ended = framed(Buffer.concat([data(3, '', true), data(1, '', true)]))

  test(`${way.name}: the streams are opened with the port, and data waits until its stream is taken`, async t => {
    let url = ''
    let received = Buffer.alloc(0)
    let peer: Socket | undefined
    let over = false
    const carrier = await carrierTo(t, way, (socket, request) => {
      url = request.url ?? ''
      peer = socket
      socket.on('end', () => (over = true))
      socket.on('data', chunk => (received = Buffer.concat([received, chunk])))
    })
    t.is(url, '/api/v1/namespaces/default/pods/shadow/portforward')
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251))
    carrier.write(bytes.subarray(0, 3))
    carrier.write(bytes.subarray(3))
    carrier.end()
    while (sent(way, received).frames.length < 2) await sleep(5)
    await sleep(50) // for what must not come
    const opened = sent(way, received).frames
    t.is(opened.length, 2)
    for (const [i, type] of [...'ed'].entries()) {
      t.regex(opened[i]!.toString('latin1'), new RegExp(`streamtype.{4}${type === 'e' ? 'error' : 'data'}`, 's'))
      t.regex(opened[i]!.toString('latin1'), /port.{4}7070.{4}requestid.{4}0/s)
    }
    t.is(opened[0]![4], 1, 'the stream of the complaint is ended on our side')

    peer!.write(taken)
    while (sent(way, received).frames.at(-1)![4] !== 1) await sleep(5)
    const { frames, closed, largest } = sent(way, received)
    t.false(closed || over, 'the goodbye waits for the end of the runtime')
    t.true(largest <= 64 * 1024 + 72)
    t.true(frames.slice(2).every(f => f.readUInt32BE(0) === 3))
    t.true(Buffer.concat(frames.slice(2).map(f => f.subarray(8))).equals(bytes))
    peer!.write(ended)
    await once(carrier.resume(), 'close')
    while (!sent(way, received).closed && !over) await sleep(5)
  })

  test(`${way.name}: data arrives however the messages are cut, and both ends make the end`, async t => {
    const bytes = Buffer.concat([reply(1), reply(3), data(3, 'hel'), data(7, 'x'), data(3, 'lo'), data(3, '', true)])
    for (const size of [1, 5, 1000]) {
      const carrier = await carrierTo(t, way, socket => {
        for (let at = 0; at < bytes.length; at += size) socket.write(framed(bytes.subarray(at, at + size)))
        setTimeout(() => socket.write(framed(reset(1))), 20)
      })
      t.is(await text(carrier), 'hello')
    }
  })

  test(`${way.name}: the close of the API server is an end, and nothing that follows an end matters`, async t => {
    const goodbye = way.protocol === BARE ? [] : [framed(goAway())]
    for (const end of [...goodbye, ended]) {
      const carrier = await carrierTo(t, way, socket => {
        socket.write(Buffer.concat([taken, framed(data(3, 'x')), end]))
        close(socket)
        if (way.protocol !== BARE) socket.write(framed(data(3, 'late')))
      })
      t.is(await text(carrier), 'x')
    }
  })

  test(`${way.name}: nothing is waited for when the runtime has ended both streams`, async t => {
    const carrier = await carrierTo(
      t,
      way,
      socket => void socket.write(Buffer.concat([taken, framed(data(3, 'x')), ended]))
    )
    carrier.on('error', () => {}).resume()
    const began = performance.now()
    await once(carrier, 'close')
    t.true(performance.now() - began < 500)
  })

  test(`${way.name}: a complaint before and behind the reset of the data is KT_CARRIER_REFUSED`, async t => {
    const complaint = framed(data(1, 'error forwarding port 7070: connect: connection refused'))
    for (const order of [
      [complaint, framed(reset(3)), framed(reset(1))],
      [framed(reset(3)), complaint, framed(reset(1))],
      [complaint]
    ]) {
      const carrier = await carrierTo(t, way, socket => {
        socket.write(Buffer.concat([taken, ...order]))
        if (order.length === 1) close(socket)
      })
      const error = await t.throwsAsync(text(carrier), { instanceOf: KtError, message: /nothing listens there$/ })
      t.is(error?.code, 'KT_CARRIER_REFUSED')
    }
  })

  test(`${way.name}: a connection that breaks, a close before the pod has answered, and bytes that are no SPDY are KT_CARRIER_LOST`, async t => {
    for (const last of [
      (s: Socket) => s.destroy(),
      (s: Socket) => void s.write(ended),
      close,
      (s: Socket) => void s.write(framed(Buffer.from('8002000600000004', 'hex'))),
      (s: Socket) => void s.write(framed(control(6, Buffer.of(1))))
    ]) {
      const carrier = await carrierTo(t, way, socket => {
        socket.write(taken)
        setTimeout(() => last(socket), 20)
      })
      const error = await t.throwsAsync(text(carrier), { instanceOf: KtError })
      t.is(error?.code, 'KT_CARRIER_LOST')
    }
  })

  test(`${way.name}: whatever a server sends, the carrier ends with a KtError or an end`, async t => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(reply(1), reply(3), data(1, 'no'), data(3, 'x'), data(3, '', true), reset(1), reset(3), goAway())
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async pieces => {
        const carrier = await carrierTo(
          t,
          way,
          socket => void socket.end(Buffer.concat(pieces.map(part => framed(part))))
        )
        const result = await text(carrier).catch((error: unknown) => error)
        return typeof result === 'string' || result instanceof KtError
      }),
      { numRuns: 40 }
    )
    t.pass()
  })

  test(`${way.name}: a ping of the server is answered, an answer is not`, async t => {
    let received = Buffer.alloc(0)
    const carrier = await carrierTo(t, way, socket => {
      socket.on('data', chunk => (received = Buffer.concat([received, chunk])))
      socket.write(framed(Buffer.concat([control(6, Buffer.of(0, 0, 0, 3)), control(6, Buffer.of(0, 0, 0, 4))])))
    })
    while (sent(way, received).frames.length < 3) await sleep(5)
    await sleep(20)
    t.deepEqual(sent(way, received).frames.slice(2), [control(6, Buffer.of(0, 0, 0, 4))])
    carrier.destroy()
  })

  test(`${way.name}: a server that does not read stops the writer, a reader that does not read stops the server`, async t => {
    let poured = 0
    const carrier = await carrierTo(t, way, socket => {
      socket.write(taken)
      socket.pause()
      const block = framed(data(3, Buffer.alloc(32 * 1024)))
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
}

const HELLO = Buffer.concat([PREAMBLE, message(0, 'hello'), CLOSE_1000])

/** A server of channels that treats what was asked for before as `refuse` says; what it was asked for. */
async function choosy(
  t: ExecutionContext,
  refuse: (socket: Socket, protocol: string) => boolean | 'another'
): Promise<{ cluster: Cluster; asked: string[] }> {
  const asked: string[] = []
  const server = await serve(
    socket => void socket.write(HELLO),
    (socket, { headers }) => {
      const protocol = String(headers['x-stream-protocol-version'] ?? headers['sec-websocket-protocol'])
      asked.push(protocol)
      return protocol === CHANNELS ? false : refuse(socket, protocol)
    }
  )
  t.teardown(() => server.close())
  return { cluster: server.cluster, asked }
}

const CHANNELS = 'v4.channel.k8s.io'

test('who does not know SPDY is asked for it bare, then in a WebSocket, then for channels, and for the first two once only', async t => {
  const refusals = [
    '403 Forbidden\r\nContent-Length: 0\r\n\r\n',
    '400 Bad Request\r\nContent-Length: 0\r\n\r\n',
    undefined
  ]
  for (const refusal of refusals) {
    const { cluster, asked } = await choosy(t, socket => {
      if (refusal === undefined) return 'another'
      socket.end(`HTTP/1.1 ${refusal}`)
      return true
    })
    for (let i = 0; i < 3; i++) t.is(await text(await openCarrier(cluster, TARGET)), 'hello')
    t.deepEqual(asked, [BARE, TUNNELLED, CHANNELS, CHANNELS, CHANNELS])
  }
})

test('bare SPDY wants another right than a WebSocket: without it the others are asked for', async t => {
  const denied = '{"kind":"Status","message":"pods is forbidden: cannot create resource pods/portforward"}'
  const { cluster, asked } = await choosy(t, (socket, protocol) => {
    const [status, body] = protocol === BARE ? ['403 Forbidden', denied] : ['400 Bad Request', '']
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    return true
  })
  t.is(await text(await openCarrier(cluster, TARGET)), 'hello')
  t.deepEqual(asked, [BARE, TUNNELLED, CHANNELS])
})

test('what swallows, cuts or fails at a protocol does not keep the next one from being asked for', async t => {
  const refusals: ((socket: Socket) => unknown)[] = [
    () => {},
    socket => socket.destroy(),
    socket => socket.end('no HTTP\r\n\r\n'),
    socket => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
  ]
  await Promise.all(
    refusals.map(async (refuse, i) => {
      const { cluster, asked } = await choosy(t, (socket, protocol) => {
        if (protocol === BARE) refuse(socket)
        else socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
        return true
      })
      for (let n = 0; n < 2; n++) t.is(await text(await openCarrier(cluster, TARGET)), 'hello')
      // A proxy that has failed may work the next time.
      const again = i === refusals.length - 1 ? [BARE, TUNNELLED] : []
      t.deepEqual(asked, [BARE, TUNNELLED, CHANNELS, ...again, CHANNELS])
    })
  )
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
