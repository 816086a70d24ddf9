// The conformance table for HTTP/1: each row asked directly and through the router must get the same answer.
import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import test from 'ava'
import { WebSocket } from 'ws'
import { askHttp1, http1Rows } from './_http1-rows.ts'
import { freePort, listening, nextBytes, type RunningRouter, say, startRouter, until } from './_router.ts'
import { type TestServer, testServer } from './_server.ts'

const MIB = 1_048_576
let server: TestServer
let direct: number
let router: RunningRouter

test.before(async () => {
  server = testServer()
  direct = await listening(server.server)
  router = await startRouter(direct)
})

test.after.always(async () => {
  server.server.close()
  server.server.closeAllConnections()
  for (const socket of server.sockets) socket.destroy() // those that have become tunnels
  await router.close()
})

for (const [name, row] of Object.entries(http1Rows(32 * MIB))) {
  test.serial(`the same directly and through the router: ${name}`, async t => {
    const host = '127.0.0.1'
    const expected = await askHttp1({ host, port: direct }, row)
    const told = await askHttp1({ host, port: router.port }, row)
    t.deepEqual(told, expected)
    t.true(expected.status !== undefined || expected.error !== '')
  })
}

test.serial('an early answer to a body that does not end', async t => {
  const head = 'POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n'
  const heard = await say(router.port, [head, 'some of it'])
  t.regex(heard.text, /^HTTP\/1\.1 413 .*too much/s)
  t.is(heard.end, 'FIN')
})

test.serial('a kept connection: request after request, and pipelined ones in their order', async t => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (const path of ['/echo', '/trailers', '/nothing', '/echo'])
    t.truthy((await askHttp1({ host: '127.0.0.1', port: router.port }, { path, agent })).status)
  agent.destroy()
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  const post = 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
  const last = 'GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  const all = get('/bytes?length=3') + post + get('/trailers') + last
  for (const parts of [[all], [...all]]) {
    const { text, end } = await say(router.port, parts.length > 1 ? cut(all, 7) : parts, 8_000)
    t.deepEqual(
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1]),
      ['200', '200', '200', '204']
    )
    t.is(end, 'FIN')
  }
})

function cut(text: string, length: number): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length))
}

test.serial('HTTP/1.0: closed after the answer, or kept on request; and a caller that half-closes', async t => {
  for (const text of [
    'GET /bytes?length=3 HTTP/1.0\r\n\r\n',
    'GET /bytes?length=3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
  ]) {
    const [expected, told] = [await say(direct, [text], 300), await say(router.port, [text], 300)]
    t.is(told.text.replace(/Date.*/, ''), expected.text.replace(/Date.*/, ''))
    t.is(told.end, expected.end)
  }
  const halfClosed = ['GET /bytes?length=3 HTTP/1.1\r\nHost: a\r\n\r\n']
  const [expected, told] = [await say(direct, halfClosed, 500, true), await say(router.port, halfClosed, 500, true)]
  t.is(told.end, expected.end)
})

test.serial('a caller that goes is gone for the server, too', async t => {
  const socket = connect(router.port, '127.0.0.1')
  socket.write('GET /socket-stays HTTP/1.1\r\nHost: a\r\n\r\n')
  await nextBytes(socket)
  socket.resetAndDestroy()
  await until(() => server.aborted.includes('GET /socket-stays'))
  t.pass()
})

test.serial('a slow reader slows the server down, not the memory', async t => {
  const socket = connect(router.port, '127.0.0.1')
  socket.write(`GET /bytes?length=${256 * MIB} HTTP/1.1\r\nHost: a\r\n\r\n`)
  await nextBytes(socket)
  socket.pause()
  await new Promise(resolve => setTimeout(resolve, 500))
  const { external, arrayBuffers } = process.memoryUsage()
  t.true(external + arrayBuffers < 100 * MIB, String(external + arrayBuffers))
  socket.destroy()
})

test.serial('what the server closes while it is idle is closed for the caller', async t => {
  const socket = connect(router.port, '127.0.0.1')
  socket.write('GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n')
  await nextBytes(socket)
  server.server.closeIdleConnections()
  await once(socket, 'end')
  t.pass()
})

test.serial('WebSocket: an echo of many messages', async t => {
  const count = 2_000
  const socket = new WebSocket(`ws://127.0.0.1:${router.port}/socket`)
  await once(socket, 'open')
  const received: string[] = []
  const done = new Promise<void>(resolve => {
    socket.on('message', data => {
      received.push(String(data))
      if (received.length === count) resolve()
    })
  })
  for (let i = 0; i < count; i++) socket.send(String(i))
  await done
  t.deepEqual(
    received,
    Array.from({ length: count }, (_, i) => String(i))
  )
  socket.close()
  await once(socket, 'close')
})

test.serial('CONNECT: a tunnel, from the first byte on', async t => {
  const { text } = await say(router.port, ['CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nfirst', ' second'], 300)
  t.is(text, 'HTTP/1.1 200 Connected\r\n\r\nfirst second')
})

test.serial('events arrive one by one', async t => {
  const socket = connect(router.port, '127.0.0.1')
  socket.write('GET /events?count=5 HTTP/1.1\r\nHost: a\r\n\r\n')
  const times: number[] = []
  socket.on('data', () => times.push(performance.now()))
  await until(() => times.length >= 5)
  t.true(times.at(-1)! - times[0]! > 50)
  socket.destroy()
})

test.serial('a server that hangs up, or resets, without an answer does so to the caller', async t => {
  for (const [path, end] of [
    ['/hang-up', 'FIN'],
    ['/reset', 'RST']
  ] as const) {
    const request = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    t.deepEqual(await say(direct, [request]), { text: '', end })
    t.deepEqual(await say(router.port, [request]), { text: '', end })
  }
})

test.serial('nobody behind it: 502, and the next request may find somebody', async t => {
  const alone = await startRouter(await freePort())
  const heard = await say(alone.port, ['GET / HTTP/1.1\r\nHost: a\r\n\r\n'], 3_000)
  t.regex(heard.text, /^HTTP\/1\.1 502 /)
  t.is(heard.end, 'FIN')
  t.is(alone.status.originals.failed, 1)
  await alone.close()
})
