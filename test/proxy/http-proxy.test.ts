// The proxy as HTTP clients see it.
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { bytesOf } from '../compliance/duplex.ts'
import { CLOSED_PORT, listen, listening, startProxy } from './_proxy.ts'

interface Seen {
  method: string
  url: string
  headers: string[]
  body: string
}

/** A web server that says what it was asked, and how many connections it has seen. */
async function web(t: ExecutionContext): Promise<{ port: number; connections(): number }> {
  let connections = 0
  const server = createServer((q, s) => {
    void text(q).then(body => {
      const seen: Seen = { method: q.method ?? '', url: q.url ?? '', headers: q.rawHeaders, body }
      s.setHeader('X-Kept', 'yes').end(JSON.stringify(seen))
    })
  }).on('connection', () => connections++)
  t.teardown(() => server.closeAllConnections())
  return { port: await listening(t, server), connections: () => connections }
}

async function ask(options: RequestOptions, body?: string[]): Promise<{ answer: IncomingMessage; body: string }> {
  const asked = request({ host: '127.0.0.1', agent: false, ...options })
  for (const part of body ?? []) asked.write(part)
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { answer, body: await text(answer) }
}

test('absolute form: origin form behind it, headers kept but those between two hops, connections kept', async t => {
  const { port, asked } = await startProxy(t)
  const target = await web(t)
  const path = `http://web.demo:${target.port}/a?b=c`
  const headers = { 'X-Own': '1', 'Proxy-Connection': 'keep-alive', 'X-Hop': '2', Connection: 'X-Hop' }
  const { answer, body } = await ask({ port, path, method: 'POST', headers }, ['two ', 'parts'])
  t.is(answer.statusCode, 200)
  t.is(answer.headers['x-kept'], 'yes')
  const seen = JSON.parse(body) as Seen
  t.is(`${seen.method} ${seen.url} ${seen.body}`, 'POST /a?b=c two parts')
  const names = seen.headers.filter((_, i) => i % 2 === 0)
  t.deepEqual(names, ['Host', 'X-Own', 'Transfer-Encoding', 'Connection'])
  t.is(seen.headers[1], `web.demo:${target.port}`)
  t.is((await ask({ port, path })).answer.statusCode, 200)
  t.is(target.connections(), 1)
  t.deepEqual(asked, ['web.demo'])
})

test('CONNECT: bytes of both directions, also those sent with the request', async t => {
  const { port, asked } = await startProxy(t)
  const target = await listen(t, socket => {
    void bytesOf(socket).then(bytes => socket.end(`you said ${String(bytes)}`))
  })
  const socket = connect(port, '127.0.0.1')
  socket.end(`CONNECT web.demo:${target} HTTP/1.1\r\nHost: web.demo:${target}\r\n\r\nhello`)
  t.is(String(await bytesOf(socket)), 'HTTP/1.1 200 Connection established\r\n\r\nyou said hello')
  t.deepEqual(asked, ['web.demo'])
})

test('what a target does is told by status and Proxy-Status', async t => {
  const { port } = await startProxy(t)
  const kinds = {
    refused: '502 connection_refused',
    unreachable: '502 destination_ip_unroutable',
    'not-found': '502 dns_error',
    timeout: '504 connection_timeout',
    denied: '403 destination_ip_prohibited',
    closed: '502 proxy_internal_error'
  }
  for (const [reason, wanted] of Object.entries(kinds)) {
    const { answer, body } = await ask({ port, path: `http://${reason}.test/` })
    const said = `${answer.statusCode} ${String(answer.headers['proxy-status']).replace('kt; error=', '')}`
    t.is(said, wanted)
    t.is(body, `${reason}.test: as asked for\n`)
    const refused = request({ host: '127.0.0.1', port, method: 'CONNECT', path: `${reason}.test:443`, agent: false })
    refused.end()
    const [far] = (await once(refused, 'connect')) as [IncomingMessage]
    t.is(String(far.statusCode), wanted.slice(0, 3))
  }
  t.is((await ask({ port, path: `http://web.demo:${CLOSED_PORT}/` })).answer.statusCode, 502)
})

test('a target that goes in the middle of its answer cuts the answer off', async t => {
  const { port } = await startProxy(t)
  const target = await listen(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    setTimeout(() => socket.resetAndDestroy(), 20)
  })
  const asked = get({ host: '127.0.0.1', port, path: `http://web.demo:${target}/`, agent: false })
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  await t.throwsAsync(text(answer))
})

test('HTTP/1.0 without Host, an upgrade, and what is no request', async t => {
  const { port } = await startProxy(t)
  const { port: target } = await web(t)
  const said = async (words: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    socket.write(words)
    return String(await bytesOf(socket))
  }
  t.regex(
    await said(`GET http://web.demo:${target}/old HTTP/1.0\r\n\r\n`),
    /"url":"\/old","headers":\["Host","web\.demo/
  )
  const upgrading = await listen(t, socket => {
    socket.once('data', bytes => socket.end(`HTTP/1.1 101 Switching\r\n\r\n${String(bytes)}`))
  })
  const asked = `GET http://web.demo:${upgrading}/ws HTTP/1.1\r\nHost: web.demo\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`
  t.regex(await said(asked), /^HTTP\/1\.1 101 [\s\S]*GET \/ws HTTP\/1\.1\r\n[\s\S]*Upgrade: x\r\n/)
  t.regex(await said('CONNECT nonsense HTTP/1.1\r\nHost: x\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.regex(await said('GET ftp://web.demo/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.regex(await said('\x16\x03\x01 no HTTP at all\r\n\r\n'), /^HTTP\/1\.1 400 /)
})

test('proxy.pac is served under an address of this computer, and not under a name that a web site gives it', async t => {
  const { port } = await startProxy(t)
  const page = async (host: string, path = '/proxy.pac'): Promise<string> => {
    const { answer, body } = await ask({ port, path, headers: { Host: host } })
    return `${answer.statusCode} ${body}`
  }
  t.is(await page('127.0.0.1:2223'), '200 pac for 127.0.0.1:2223')
  t.is(await page('[::1]:2223'), '200 pac for [::1]:2223')
  t.is(await page('localhost:2223'), '200 pac for localhost:2223')
  t.regex(await page('evil.example:2223'), /^404 /)
  t.regex(await page('127.0.0.1:2223', '/'), /^404 /)
})
