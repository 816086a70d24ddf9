import test from 'ava'
import fc from 'fast-check'
import { BodyReader, requestFraming, responseFraming } from '../../lib/router/http1-body.ts'
import { endOfHead, MAX_HEAD, parseResponseHead, RequestHead } from '../../lib/router/http1-head.ts'
import { forwardable } from '../../lib/router/http1-hop.ts'
import { ResponseReader } from '../../lib/router/http1-response.ts'
import { sniff } from '../../lib/router/sniff.ts'

function head(...lines: string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

test('a request line and its fields, as they came', t => {
  const parsed = RequestHead.parse(
    head('GET /a?b HTTP/1.1', 'Host: shop', 'X-Two:1', 'x-two: \t2 ', 'Empty:', 'High: \xe9')
  )
  t.is(parsed?.method, 'GET')
  t.is(parsed?.path, '/a')
  t.is(parsed?.query, 'b')
  t.is(parsed?.minor, 1)
  t.deepEqual(parsed?.field('x-two'), ['1', '2'])
  t.deepEqual(parsed?.field('empty'), [''])
  t.deepEqual(parsed?.field('high'), ['\xe9'])
  t.truthy(RequestHead.parse(head('GET / HTTP/1.0')), 'HTTP/1.0 may leave out Host')
  const odd = RequestHead.parse(head('GET / HTTP/1.1', 'Host: a', 'a_b: 1', 'A^: 2', 'a~: 3', 'a-b: 4'))
  for (const [i, name] of ['a_b', 'a^', 'a~', 'a-b'].entries()) t.deepEqual(odd?.field(name), [String(i + 1)], name)
})

test('heads that two servers could read differently are none', t => {
  const bad = (...lines: string[]): boolean => t.is(RequestHead.parse(head(...lines)), undefined, lines.join(' | '))
  for (const line of [
    'GET / HTTP/1.2',
    'GET / HTTP/2.0',
    'GET / http/1.1',
    'GET /',
    'GET  / HTTP/1.1',
    'GET / HTTP/1.1 ',
    'GET /a b HTTP/1.1',
    ' GET / HTTP/1.1',
    'G(T / HTTP/1.1',
    'GET\t/\tHTTP/1.1',
    'GET /\x7f HTTP/1.1'
  ])
    bad(line, 'Host: a')
  for (const line of [
    'X : 1',
    ' X: 1',
    'X: 1\r\n folded',
    'X: 1\n Y: 2',
    'X: a\rb',
    'X: \0',
    'X',
    ': 1',
    'X\t: 1',
    'X\x0b: 1',
    'X: \x7f',
    'X(: 1'
  ])
    bad('GET / HTTP/1.1', 'Host: a', line)
  bad('GET / HTTP/1.1')
  bad('GET / HTTP/1.1', 'Host: a', 'Host: a')
  bad('GET / HTTP/1.0', 'Host: a', 'Host: b')
})

test('the end of a head: at the empty line, not at a bare LF, not too late', t => {
  t.is(endOfHead(head('GET / HTTP/1.1', 'Host: a')), 27)
  t.is(endOfHead(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n')), -1)
  t.is(endOfHead(Buffer.from('GET / HTTP/1.1\nHost: a\n\n')), 'malformed')
  t.is(endOfHead(Buffer.from('GET / HTTP/1.1\r\nHost: a\n\r\n')), 'malformed')
  t.is(endOfHead(Buffer.alloc(MAX_HEAD, 'a')), 'malformed')
  t.is(endOfHead(head('GET / HTTP/1.1', `X: ${'a'.repeat(MAX_HEAD)}`)), 'malformed')
})

test('RFC 9112 §6.3: how long a request is, or that nobody can tell', t => {
  const framing = (...fields: string[]): unknown => {
    const parsed = RequestHead.parse(head('POST / HTTP/1.1', 'Host: a', ...fields))
    return parsed && requestFraming(parsed)
  }
  t.is(framing(), 0)
  t.is(framing('Content-Length: 0'), 0)
  t.is(framing('content-length: 9007199254740991'), Number.MAX_SAFE_INTEGER)
  t.is(framing('Transfer-Encoding: chunked'), 'chunked')
  t.is(framing('transfer-encoding: gzip, Chunked'), 'chunked')
  t.is(framing('Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'), 'chunked')
  for (const length of [
    '',
    '+1',
    '-1',
    '1 1',
    '1,1',
    '1, 2',
    '0x1',
    '1e1',
    '1.0',
    '9007199254740992',
    '00000000000000001',
    '1_0',
    '\xa01'
  ])
    t.is(framing(`Content-Length: ${length}`), undefined, length)
  t.is(framing('Content-Length: 5', 'Content-Length: 5'), undefined)
  t.is(framing('Content-Length: 5', 'Transfer-Encoding: chunked'), undefined)
  for (const coding of [
    '',
    'identity',
    'gzip',
    'chunked, gzip',
    'chunked, chunked',
    'xchunked',
    'chunked;q=1',
    '"chunked"',
    'chunked\x0b',
    '\xa0chunked',
    'gzip,\xa0chunked'
  ])
    t.is(framing(`Transfer-Encoding: ${coding}`), undefined, coding)
  t.is(framing('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'), undefined)
  t.is(framing('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), undefined)
  const old = RequestHead.parse(head('POST / HTTP/1.0', 'Transfer-Encoding: chunked'))!
  t.is(requestFraming(old), undefined)
})

test('RFC 9112 §6.3: how long an answer is', t => {
  const framing = (status: number, method: string, ...fields: string[]): unknown =>
    responseFraming(parseResponseHead(head(`HTTP/1.1 ${status} Reason`, ...fields))!, method)
  t.is(framing(200, 'GET', 'Content-Length: 7'), 7)
  t.is(framing(200, 'HEAD', 'Content-Length: 7'), 0)
  t.is(framing(204, 'GET', 'Content-Length: 7'), 0)
  t.is(framing(304, 'GET', 'Content-Length: 7'), 0)
  t.is(framing(200, 'GET'), 'close')
  t.is(framing(200, 'GET', 'Transfer-Encoding: chunked'), 'chunked')
  t.is(framing(200, 'GET', 'Transfer-Encoding: chunked', 'Content-Length: 3'), 'chunked')
  t.is(framing(200, 'GET', 'Transfer-Encoding: gzip'), 'close')
  t.is(framing(200, 'GET', 'Content-Length: 3', 'Content-Length: 3'), 3)
  t.is(framing(200, 'GET', 'Content-Length: 3', 'Content-Length: 4'), 'close')
})

const bodies = fc
  .array(
    fc.tuple(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.constantFrom('', ';a', ';a=b', ';a="b c"'),
      fc.boolean()
    ),
    { maxLength: 8 }
  )
  .chain(chunks =>
    fc.tuple(fc.constant(chunks), fc.array(fc.constantFrom('A: b', 'Trailer-Two:', 'x: \t '), { maxLength: 3 }))
  )
  .map(([chunks, trailers]) => {
    const parts = chunks.map(([data, extension, upper]) => {
      const size = data.length.toString(16)
      return Buffer.concat([
        Buffer.from(`${upper ? size.toUpperCase() : `00${size}`}${extension}\r\n`),
        data,
        Buffer.from('\r\n')
      ])
    })
    return Buffer.concat([...parts, Buffer.from(`0\r\n${trailers.map(line => `${line}\r\n`).join('')}\r\n`)])
  })

test('chunks end where they end, however they are cut, and what follows is not theirs', t => {
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(60)), fc.uint8Array({ maxLength: 5 }), (body, cuts, next) => {
      const reader = new BodyReader('chunked')
      const all = Buffer.concat([body, next])
      let at = 0
      for (const cut of [...cuts, all.length]) {
        const piece = all.subarray(at, at + cut)
        const end = reader.read(piece, 0)
        if (end === undefined) return false
        at += end
        if (end < piece.length) break
      }
      return reader.done && at === body.length
    })
  )
  t.pass()
})

test('chunks that two servers could read differently are malformed, in one piece and byte by byte', t => {
  const bad = [
    '5 \r\nhello\r\n',
    ' 5\r\nhello\r\n',
    '5\nhello\n',
    '5\r\nhello\n',
    '5\r\nhelloX',
    '0x5\r\nhello',
    '-5\r\nhello',
    '+5\r\nhello',
    '\r\nhello',
    ';a\r\n',
    'g\r\n',
    '5\rhello',
    '5;\nX',
    '5;a\x00\r\nhello',
    '5\r\r\n',
    'fffffffffffffff\r\n',
    `5;${'a'.repeat(5_000)}\r\n`,
    '0\r\nX\r\n\r\n',
    '0\r\n: x\r\n\r\n',
    '0\r\nX : 1\r\n\r\n',
    '0\r\nX: 1\n\r\n',
    '0\r\n\n',
    '0\r\nX: \x00\r\n\r\n',
    `0\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`
  ]
  for (const text of bad) {
    const bytes = Buffer.from(text, 'latin1')
    t.is(new BodyReader('chunked').read(bytes, 0), undefined, text.slice(0, 40))
    const slow = new BodyReader('chunked')
    t.true(
      [...bytes].some(byte => slow.read(Buffer.of(byte), 0) === undefined),
      text.slice(0, 40)
    )
  }
})

test('RFC 9110 §7.6.1: what is nominated for this hop does not go on, and nothing else changes', t => {
  const after = (...fields: string[]): string | undefined => {
    const bytes = head('GET / HTTP/1.1', 'Host: a', ...fields, 'Last: 1')
    return forwardable(RequestHead.parse(bytes)!, bytes)?.toString('latin1')
  }
  const same = head('GET / HTTP/1.1', 'Host: a', 'connection: Keep-Alive', 'Last: 1').toString()
  t.is(after('connection: Keep-Alive'), same)
  t.is(
    after('Connection: close, X-Hop', 'x-hop: 1', 'X-Stay: 2'),
    head('GET / HTTP/1.1', 'Host: a', 'X-Stay: 2', 'Last: 1', 'Connection: close').toString()
  )
  t.is(
    after('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMA'),
    head('GET / HTTP/1.1', 'Host: a', 'Last: 1').toString()
  )
  t.regex(after('Connection: Upgrade', 'Upgrade: websocket') ?? '', /Upgrade: websocket/)
  for (const name of ['Host', 'content-length', 'Transfer-Encoding']) t.is(after(`Connection: ${name}`), undefined)
})

const answers = fc.constantFrom(
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304\r\nContent-Length: 5\r\n\r\n'
)

test('an answer ends where it ends, however it is cut, and goes on as it came', t => {
  fc.assert(
    fc.property(
      answers,
      fc.array(fc.integer({ min: 1, max: 30 })),
      fc.constantFrom('', 'HTTP/1.1 200 OK'),
      (answer, cuts, stray) => {
        const reader = new ResponseReader('GET')
        const all = Buffer.from(answer + stray)
        let passed = ''
        let rest = ''
        let at = 0
        for (const cut of [...cuts, all.length]) {
          const piece = all.subarray(at, at + cut)
          at += piece.length
          if (reader.progress === 'done') {
            rest += String(piece)
            continue
          }
          const pushed = reader.push(piece)
          passed += String(pushed.answer)
          rest += String(pushed.rest ?? '')
        }
        return reader.progress === 'done' && passed === answer && rest === stray
      }
    )
  )
  t.pass()
})

test('an answer that is none goes on as it came, until the connection ends', t => {
  for (const answer of [
    'HTTP/1.1 200 OK\nContent-Length: 1\n\nab',
    'ICY 200 OK\r\n\r\nmusic',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
  ]) {
    const reader = new ResponseReader('GET')
    t.is(String(reader.push(Buffer.from(answer)).answer), answer)
    t.true(reader.untilClose)
    t.is(String(reader.push(Buffer.from('more')).answer), 'more')
  }
})

test('the last answer says so', t => {
  const reader = new ResponseReader('GET')
  reader.lastOne = true
  t.is(
    reader
      .push(Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nConnection: keep-alive\r\n'))
      .answer.toString(),
    'HTTP/1.1 103 Early Hints\r\n\r\n'
  )
  const { answer } = reader.push(Buffer.from('Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok'))
  t.is(answer.toString(), 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
})

test('what a caller speaks, from as few bytes as it takes', t => {
  t.is(sniff(Buffer.from('GET / HTTP/1.1\r\n')), 'http1')
  t.is(sniff(Buffer.from('\r\nM-SEARCH * HTTP/1.1')), 'http1')
  t.is(sniff(Buffer.from('GET  /\x7f HTTP/1.')), 'http1', 'malformed, and so refused')
  t.is(sniff(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')), 'http2')
  for (const text of ['', 'P', 'PRI * HTTP/2.0\r\n\r\n', 'POST /x', 'GET /a b', '\r\n', 'CONNECT'])
    t.is(sniff(Buffer.from(text)), undefined, text)
  for (const text of [
    '\x16\x03\x01',
    '*1\r\n',
    'PING\r\n',
    'EHLO me\r\n',
    'get x\r\n',
    '\0',
    'SSH-2.0-x\r\n',
    'GET /\r\n',
    'CONNECT\n'
  ])
    t.is(sniff(Buffer.from(text, 'latin1')), 'other', text)
})

test('no bytes make any of it throw', t => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('', 'GET / HTTP/1.1\r\n', 'HTTP/1.1 200 OK\r\n'),
      (bytes, start) => {
        const all = Buffer.concat([Buffer.from(start), bytes])
        sniff(all)
        new BodyReader('chunked').read(all, 0)
        new ResponseReader('GET').push(all)
        const end = endOfHead(all)
        return typeof end === 'string' || end < 0 || RequestHead.parse(all.subarray(0, end)) !== null
      }
    )
  )
  t.pass()
})
