// Requests read in passing: real HTTP between real sockets, cut anywhere, and bytes that are no HTTP.
import { once } from 'node:events'
import { Agent, createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { MessageReader } from '../../lib/dashboard/http-message.ts'
import { BODY_MAX, type Exchanged, observe } from '../../lib/dashboard/http-observer.ts'
import { REQUESTS_MAX, RequestLog } from '../../lib/dashboard/request-log.ts'
import { inboundTrace } from '../../lib/trace.ts'
import { join } from '../../lib/tunnel/join.ts'

const ENDS = { port: 80, source: '10.244.0.9:4000', to: '127.0.0.1:3000' }

/** A way to `server` on which requests are read in passing, as on the laptop's end of an exchange. */
async function watched(t: ExecutionContext, server: Server): Promise<{ port: number; seen: Map<number, Exchanged> }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const seen = new Map<number, Exchanged>()
  let ids = 0
  const way = createTcpServer({ allowHalfOpen: true }, stream => {
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
    observe({ ...ENDS, stream, socket }, { nextId: () => ++ids, changed: each => seen.set(each.row.id, each) })
    join(socket, stream)
  }).listen(0, '127.0.0.1')
  await once(way, 'listening')
  t.teardown(() => {
    way.close()
    server.close()
    server.closeAllConnections()
  })
  return { port: (way.address() as AddressInfo).port, seen }
}

async function send(
  port: number,
  agent: Agent,
  method: string,
  path: string,
  body = ''
): Promise<{ status: number; text: string }> {
  const q = request({ port, host: '127.0.0.1', agent, method, path })
  q.end(body)
  const [s] = await once(q, 'response')
  let text = ''
  for await (const part of s.setEncoding('latin1')) text += part
  return { status: s.statusCode, text }
}

test('real requests on one kept connection: chunked, long, none, HEAD, 204, compressed', async t => {
  const server = createServer((q, s) => {
    q.resume()
    q.on('end', () => {
      if (q.url === '/chunked') {
        s.write('a'.repeat(50_000))
        s.end('end')
      } else if (q.url === '/none') s.writeHead(204).end()
      else if (q.url === '/gzip') s.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('packed text'))
      else s.writeHead(200, { 'content-length': 5, 'x-who': 'us' }).end(q.method === 'HEAD' ? undefined : 'hello')
    })
  })
  const { port, seen } = await watched(t, server)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  t.is((await send(port, agent, 'GET', '/chunked')).text.length, 50_003)
  t.is((await send(port, agent, 'HEAD', '/head')).status, 200)
  t.is((await send(port, agent, 'PUT', '/none', 'put this')).status, 204)
  await send(port, agent, 'GET', '/gzip')
  t.is((await send(port, agent, 'GET', '/last?a=b')).text, 'hello')
  const rows = [...seen.values()].map(({ row }) => row)
  t.deepEqual(
    rows.map(({ method, path, status, responseBytes, done }) => [method, path, status, responseBytes, done]),
    [
      ['GET', '/chunked', 200, 50_003, true],
      ['HEAD', '/head', 200, 0, true],
      ['PUT', '/none', 204, 0, true],
      ['GET', '/gzip', 200, gzipSync('packed text').length, true],
      ['GET', '/last?a=b', 200, 5, true]
    ]
  )
  t.is(rows[2]!.requestBytes, 8)
  t.is(Buffer.concat(seen.get(3)!.requestBody).toString(), 'put this')
  t.is(Buffer.concat(seen.get(1)!.responseBody).length, BODY_MAX)
  t.true(rows[4]!.responseHeaders.some(([name, value]) => name === 'x-who' && value === 'us'))
})

const REQUESTS =
  'POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n' +
  'GET /b HTTP/1.1\r\nHost: x\r\n\r\nPUT /c HTTP/1.0\nContent-Length: 3\n\nabc'
const RESPONSES =
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n' +
  'HTTP/1.1 200\r\n\r\nuntil the end'

test('cut at any byte the same is read', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(REQUESTS.length), { maxLength: 12 }),
      fc.array(fc.nat(RESPONSES.length), { maxLength: 12 }),
      async (requestCuts, responseCuts) => {
        const [stream, socket] = [new PassThrough(), new PassThrough()]
        const seen = new Map<number, Exchanged>()
        let ids = 0
        observe({ ...ENDS, stream, socket }, { nextId: () => ++ids, changed: each => seen.set(each.row.id, each) })
        for (const part of cut(REQUESTS, requestCuts)) stream.write(part)
        await new Promise(setImmediate)
        for (const part of cut(RESPONSES, responseCuts)) socket.write(part)
        socket.end()
        await once(socket, 'end')
        const found = [...seen.values()].map(({ row, requestBody, responseBody }) => [
          ...[row.method, row.path, row.status, row.done],
          ...[Buffer.concat(requestBody).toString(), Buffer.concat(responseBody).toString()]
        ])
        return (
          JSON.stringify(found) ===
          JSON.stringify([
            ['POST', '/a', 201, true, 'hello', 'ok'],
            ['GET', '/b', 304, true, '', ''],
            ['PUT', '/c', 200, true, 'abc', 'until the end']
          ])
        )
      }
    ),
    { numRuns: 150 }
  )
  t.pass()
})

test('arbitrary bytes never throw, and what is no HTTP/1 is left alone', t => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string().map(text => Buffer.from(text))
  )
  fc.assert(
    fc.property(fc.array(bytes), fc.constantFrom('request' as const, 'response' as const), (parts, kind) => {
      const reader = new MessageReader(kind, { head: () => 'framed', body: () => {}, end: () => {} })
      for (const part of parts) reader.push(part)
      reader.finish()
      return reader.lost
    }),
    { numRuns: 300 }
  )
  for (const text of ['PRI * HTTP/2.0\r\n\r\n', '\x16\x03\x01\x02\x00\n\r\n', 'x'.repeat(70_000)]) {
    const reader = new MessageReader('request', {
      head: () => t.fail('this is no head') as never,
      body: () => {},
      end: () => {}
    })
    reader.push(Buffer.from(text))
    t.true(reader.lost)
  }
})

test('after an upgrade nothing more is read, and the listeners are gone', async t => {
  const [stream, socket] = [new PassThrough(), new PassThrough()]
  const seen = new Map<number, Exchanged>()
  observe({ ...ENDS, stream, socket }, { nextId: () => 1, changed: each => seen.set(each.row.id, each) })
  stream.write('GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n')
  await new Promise(setImmediate)
  socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\nGET /not HTTP/1.1\r\n\r\n')
  await new Promise(setImmediate)
  t.like(seen.get(1)!.row, { status: 101, done: true })
  t.is(stream.listenerCount('data') + socket.listenerCount('data'), 0)
})

test('so many requests are remembered, and their bodies are unpacked', async t => {
  const log = new RequestLog()
  log.start()
  const [stream, socket] = [new PassThrough(), new PassThrough()]
  inboundTrace.publish({ ...ENDS, stream, socket })
  const packed = gzipSync('packed text')
  for (let i = 0; i < REQUESTS_MAX + 10; i++) {
    stream.write(`GET /${i} HTTP/1.1\r\n\r\n`)
    await new Promise(setImmediate)
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`)
    socket.write(packed)
    await new Promise(setImmediate)
  }
  const rows = log.rows()
  t.is(rows.length, REQUESTS_MAX)
  t.is(rows[0]!.path, '/10')
  t.deepEqual(log.body(rows[0]!.id, 'response'), { body: 'packed text', base64: false, cut: false })
  t.is(log.body(1, 'response'), undefined)
  t.is(log.takeChanged().length, REQUESTS_MAX)
  t.deepEqual(log.takeChanged(), [])
  log.stop()
  t.is(stream.listenerCount('data') + socket.listenerCount('data'), 0)
})

function cut(text: string, at: number[]): Buffer[] {
  const places = [0, ...at.sort((a, b) => a - b), text.length]
  return places.slice(1).map((end, i) => Buffer.from(text.slice(places[i], end)))
}
