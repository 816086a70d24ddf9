// What two servers could read differently is answered with 400 and reaches none; what is let through, Node reads the same way.
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { listening, type RunningRouter, say, startRouter } from './_router.ts'

/** Everything that a server behind the router was sent. */
let heard = ''
let router: RunningRouter

const silent = createTcpServer(socket => {
  socket.on('error', () => {})
  socket.on('data', bytes => {
    heard += bytes.toString('latin1')
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
})

test.before(async () => {
  router = await startRouter(await listening(silent))
})

test.after.always(async () => {
  silent.close()
  await router.close()
})

const HOST = 'Host: a\r\n'
const CHUNKED = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
const ATTEMPTS: Record<string, string> = {
  'CL and TE': `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'TE and CL': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'two lengths': `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: 44\r\n\r\n${SMUGGLED}`,
  'a list of lengths': `POST / HTTP/1.1\r\n${HOST}Content-Length: 0, 44\r\n\r\n${SMUGGLED}`,
  'a signed length': `POST / HTTP/1.1\r\n${HOST}Content-Length: +5\r\n\r\nhello`,
  'TE.TE, obscured': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n`,
  'TE with a vertical tab': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'TE before a space and the colon': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
  'TE in HTTP/1.0': `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'a folded line': `POST / HTTP/1.1\r\n${HOST}X: a\r\n Transfer-Encoding: chunked\r\n\r\n`,
  'bare LF after the request line': `GET / HTTP/1.1\n${HOST}\r\n`,
  'bare LF after a field': `GET / HTTP/1.1\r\nHost: a\n\r\n`,
  'bare LF everywhere': 'GET / HTTP/1.1\nHost: a\n\n',
  'bare CR in a value': `GET / HTTP/1.1\r\n${HOST}X: a\rTransfer-Encoding: chunked\r\n\r\n`,
  'NUL in a value': `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`,
  'space in the target': `GET /a b HTTP/1.1\r\n${HOST}\r\n`,
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'two Hosts': `GET / HTTP/1.1\r\n${HOST}Host: b\r\n\r\n`,
  'Host nominated for this hop': `GET / HTTP/1.1\r\n${HOST}Connection: host\r\n\r\n`,
  'Content-Length nominated for this hop': `POST / HTTP/1.1\r\n${HOST}Connection: content-length\r\nContent-Length: 44\r\n\r\n${SMUGGLED}`,
  'a head of 200 KiB': `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(200_000)}\r\n\r\n`,
  'chunk size with 0x': `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`,
  'chunk size with a space': `${CHUNKED}5 \r\nhello\r\n0\r\n\r\n`,
  'chunk size, negative': `${CHUNKED}-1\r\nhello\r\n0\r\n\r\n`,
  'chunk size, too large': `${CHUNKED}ffffffffffffffff1\r\nhello\r\n0\r\n\r\n`,
  'chunk size and bare LF': `${CHUNKED}5\nhello\r\n0\r\n\r\n`,
  'chunk extension with bare LF': `${CHUNKED}5;a\nhello\r\n0\r\n\r\n`,
  'chunk longer than its size': `${CHUNKED}5\r\nhelloX\r\n0\r\n\r\n`,
  'trailer that is no field': `${CHUNKED}0\r\nGET / HTTP/1.1\r\n\r\n`
}

for (const [name, attempt] of Object.entries(ATTEMPTS)) {
  test.serial(`400, and nobody hears of it: ${name}`, async t => {
    heard = ''
    const { text, end } = await say(router.port, [attempt], 1_000)
    t.regex(text, /^HTTP\/1\.1 400 Bad Request\r\n/)
    t.is(end, 'FIN')
    t.is(heard, '')
  })
}

test.serial('a request behind a good one, and a body that goes wrong later', async t => {
  heard = ''
  const good = `GET /good HTTP/1.1\r\n${HOST}\r\n`
  const second = await say(router.port, [`${good}GET / HTTP/1.1\r\nHost : a\r\n\r\n`])
  t.deepEqual(
    [...second.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1]),
    ['200', '400']
  )
  t.is(heard, good)
  const expecting = CHUNKED.replace(HOST, `${HOST}Expect: 100-continue\r\n`)
  const later = createTcpServer(socket => socket.on('error', () => {}).resume())
  const waiting = await startRouter(await listening(later))
  const { text } = await say(waiting.port, [expecting, '5\r\nhello\r\n', 'x\r\n'], 1_000)
  t.regex(text, /^HTTP\/1\.1 400 /)
  later.close()
  await waiting.close()
})

// ---- the same bytes, read by Node ------------------------------------------------------------------------------------

const piece = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
      `POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n`
    )
  },
  fc.constantFrom(
    'POST /4 HTTP/1.1\r\nHost: a\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Content-Length: 5\r\n',
    'Content-Length: 0\r\n',
    'X: y\r\n',
    '\r\n',
    '0\r\n\r\n',
    '5\r\nhello\r\n',
    '5;a=b\r\nhello\r\n',
    'hello',
    '\n',
    '\r',
    ' ',
    '\t',
    '\0',
    'Connection: close\r\n',
    'Connection: keep-alive, x\r\n',
    'GET /5 HTTP/1.0\r\n',
    'Expect: 100-continue\r\n',
    'HEAD /6 HTTP/1.1\r\nHost: b\r\n\r\n',
    'Upgrade: h2c\r\n'
  )
)

test.serial('whatever is said, Node hears no request that the router has not routed', async t => {
  const seen: string[] = []
  const node = createServer({ insecureHTTPParser: false, keepAliveTimeout: 50 }, (request, response) => {
    let body = 0
    seen.push(request.url ?? '')
    request.on('data', (chunk: Buffer) => {
      body += chunk.length
    })
    request.on('end', () => response.end(String(body)))
    request.on('error', () => {})
  })
  const behind = await startRouter(await listening(node))
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 8 }), fc.boolean(), async (pieces, byteWise) => {
      seen.length = 0
      const before = behind.status.originals.requests
      const { text } = await say(behind.port, byteWise ? [pieces.join(''), ''] : [pieces.join('')], 5_000, true)
      const routed = behind.status.originals.requests - before
      const answers = [...text.matchAll(/^HTTP\/1\.1 [2-5]\d\d/gm)].length
      return seen.length <= routed && answers <= routed + 1
    }),
    { numRuns: 150 }
  )
  node.close()
  node.closeAllConnections()
  await behind.close()
  t.pass()
})
