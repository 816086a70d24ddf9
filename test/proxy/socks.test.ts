// RFC 1928 and SOCKS 4a as bytes.
import test from 'ava'
import fc from 'fast-check'
import {
  decodeDatagram,
  encodeDatagram,
  encodeReply,
  parseGreeting,
  parseRequest4,
  parseRequest5,
  REPLY,
  replyFor
} from '../../lib/proxy/socks.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

test('greeting: accepted if it offers no authentication, and what follows is left alone', t => {
  t.deepEqual(parseGreeting(hex('05 02 02 00 ff')), {
    value: { answer: Uint8Array.of(5, 0), accepted: true },
    length: 4
  })
  t.deepEqual(parseGreeting(hex('05 01 02')), { value: { answer: Uint8Array.of(5, 255), accepted: false }, length: 3 })
  t.is(parseGreeting(hex('05 02 00')), 'more')
})

test('SOCKS 5: each kind of address', t => {
  t.deepEqual(parseRequest5(hex('05 01 00 01 0a600007 0050 ff')), {
    value: { version: 5, command: 1, host: '10.96.0.7', port: 80 },
    length: 10
  })
  const name = Buffer.concat([hex('05 03 00 03 0a'), Buffer.from('nginx.demo'), hex('01bb')])
  t.deepEqual(parseRequest5(name), { value: { version: 5, command: 3, host: 'nginx.demo', port: 443 }, length: 17 })
  t.deepEqual(parseRequest5(hex('05 01 00 04 fd6b7400000000000000000000000001 0035')), {
    value: { version: 5, command: 1, host: 'fd6b:7400::1', port: 53 },
    length: 22
  })
  t.is(parseRequest5(hex('05 01 00 02 00')), 'address')
  t.is(parseRequest5(hex('04 01 00 01 0a600007 0050')), 'malformed')
  t.is(parseRequest5(hex('05 01 00 03 02 61 00 0050')), 'malformed', 'a name with a zero byte')
})

test('SOCKS 4 and 4a', t => {
  const head = hex('04 01 0050 0a600007')
  t.deepEqual(parseRequest4(Buffer.concat([head, Buffer.from('me\0rest')])), {
    value: { version: 4, command: 1, host: '10.96.0.7', port: 80 },
    length: 11
  })
  const named = Buffer.concat([hex('04 01 0050 00000001'), Buffer.from('me\0web.demo\0')])
  t.deepEqual(parseRequest4(named), {
    value: { version: 4, command: 1, host: 'web.demo', port: 80 },
    length: named.length
  })
  t.is(parseRequest4(named.subarray(0, -1)), 'more')
  t.is(parseRequest4(Buffer.concat([head, Buffer.alloc(300, 'a')])), 'malformed', 'a user id without an end')
})

test('replies', t => {
  t.deepEqual(encodeReply(5, REPLY.SUCCEEDED), hex('05 00 00 01 00000000 0000'))
  t.deepEqual(encodeReply(5, 0, { host: '::1', port: 258 }), hex('05 00 00 04 00000000000000000000000000000001 0102'))
  t.deepEqual(encodeReply(4, REPLY.SUCCEEDED), Uint8Array.from(hex('00 5a 0000 00000000')))
  t.deepEqual(encodeReply(4, REPLY.REFUSED), Uint8Array.from(hex('00 5b 0000 00000000')))
  const reasons = ['refused', 'reset', 'unreachable', 'not-found', 'timeout', 'denied', 'closed'] as const
  t.deepEqual(
    reasons.map(reason => replyFor(reason)),
    [5, 5, 4, 4, 6, 2, 1]
  )
})

test('datagrams: there and back for every target; fragments and rubbish are none', t => {
  const host = fc.oneof(fc.ipV4(), fc.constantFrom('fd6b:7400::1', '::1', 'web.demo', 'a'), fc.domain())
  const roundTrip = fc.property(host, fc.integer({ min: 1, max: 65_535 }), fc.uint8Array(), (to, port, data) => {
    const decoded = decodeDatagram(encodeDatagram(to, port, data))
    return decoded?.host === to && decoded.port === port && Buffer.compare(decoded.data, data) === 0
  })
  t.notThrows(() => fc.assert(roundTrip))
  const datagram = encodeDatagram('10.96.0.7', 53, Buffer.from('x'))
  t.is(decodeDatagram(datagram.with(2, 1)), undefined)
  t.is(decodeDatagram(hex('00 00 00 01 0a600007')), undefined)
})

test('any bytes: nothing throws, and a message is the same however it is cut', t => {
  const parsers = [parseGreeting, parseRequest5, parseRequest4]
  const property = fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(), (bytes, cut) =>
    parsers.every(parse => {
      const whole = parse(bytes)
      const part = parse(bytes.subarray(0, cut % (bytes.length + 1)))
      if (typeof part === 'object') return JSON.stringify(part) === JSON.stringify(whole)
      return typeof whole === 'string' || whole.length <= bytes.length
    })
  )
  t.notThrows(() => fc.assert(property, { numRuns: 2_000 }))
  t.notThrows(() => fc.assert(fc.property(fc.uint8Array(), bytes => decodeDatagram(bytes) !== null)))
})
