import test from 'ava'
import fc from 'fast-check'
import { decodeRequest, decodeVerdict, encodeRequest, encodeVerdict, relayable } from '../../lib/tunnel/request.ts'

test('a target survives encoding', t => {
  fc.assert(
    fc.property(
      fc.constantFrom('dial', 'datagrams'),
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
      fc.integer({ min: 1, max: 65_535 }),
      (kind, host, port) => {
        const decoded = decodeRequest(encodeRequest({ kind: kind as 'dial', host, port }))
        return JSON.stringify(decoded) === JSON.stringify({ kind, host, port })
      }
    )
  )
  t.deepEqual(decodeRequest(Buffer.from('\x01\x00\x5010.96.0.7', 'latin1')), {
    kind: 'dial',
    host: '10.96.0.7',
    port: 80
  })
})

test('who has come to the agent survives encoding', t => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6())
  const port = fc.integer({ min: 1, max: 65_535 })
  fc.assert(
    fc.property(
      fc.constantFrom('tcp' as const, 'udp' as const),
      port,
      address,
      fc.integer({ min: 0, max: 65_535 }),
      address,
      (network, to, source, sourcePort, destination) => {
        const request = { kind: 'accepted' as const, network, port: to, source, sourcePort, destination }
        return JSON.stringify(decodeRequest(encodeRequest(request))) === JSON.stringify(request)
      }
    )
  )
  t.deepEqual(decodeRequest(Buffer.from('\x05\x11\x00\x35\x9c\x40\x02::fd00::7', 'latin1')), {
    kind: 'accepted',
    network: 'udp',
    port: 53,
    source: '::',
    sourcePort: 40_000,
    destination: 'fd00::7'
  })
})

test('a question about a port survives encoding', t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 65_535 }), port => {
      const request = { kind: 'listening' as const, port }
      return JSON.stringify(decodeRequest(encodeRequest(request))) === JSON.stringify(request)
    })
  )
  t.deepEqual(encodeRequest({ kind: 'listening', port: 80 }), Uint8Array.of(6, 0, 80))
})

test('a DNS message survives, and does not share memory', t => {
  const message = Buffer.alloc(40, 7)
  const encoded = encodeRequest({ kind: 'resolve', message })
  const decoded = decodeRequest(encoded)
  encoded.fill(0)
  t.deepEqual(decoded, { kind: 'resolve', message: Uint8Array.from(message) })
})

test('what is not a request is undefined', t => {
  for (const bytes of [
    [],
    [0],
    [1],
    [1, 0, 80],
    [1, 0, 0, 0x61], // port 0
    [1, 0, 80, 0x61, 0, 0x62], // a zero byte in a name
    [3, 1, 2, 3],
    [5, 0, 80, 0x61],
    [5, 6, 0, 80, 0, 1, 2, 0x3a, 0x3a, 0x3a], // destination too short
    [5, 7, 0, 80, 0, 1, 2, 0x3a, 0x3a, 0x3a, 0x3a], // neither TCP nor UDP
    [5, 6, 0, 0, 0, 1, 2, 0x3a, 0x3a, 0x3a, 0x3a], // port 0
    [5, 6, 0, 80, 0, 1, 200, 0x3a, 0x3a, 0x3a, 0x3a], // longer than there is
    [5, 6, 0, 80, 0, 1, 2, 0x3a, 0x0a, 0x3a, 0x3a], // a line feed in an address
    [6, 0],
    [6, 0, 0], // port 0
    [6, 0, 80, 1],
    [77]
  ]) {
    t.is(decodeRequest(Uint8Array.from(bytes)), undefined, bytes.join(' '))
  }
  t.is(decodeRequest(Buffer.concat([Buffer.of(1, 0, 80), Buffer.alloc(256, 0x61)])), undefined)
})

test('decodeRequest never throws', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      decodeRequest(bytes)
      return true
    })
  )
  t.pass()
})

test('a host that does not fit is our own mistake', t => {
  t.throws(() => encodeRequest({ kind: 'dial', host: '', port: 1 }), { instanceOf: RangeError })
  t.throws(() => encodeRequest({ kind: 'dial', host: 'x'.repeat(256), port: 1 }), { instanceOf: RangeError })
})

test('verdicts', t => {
  for (const verdict of [
    'opened',
    'refused',
    'unreachable',
    'timeout',
    'not-found',
    'denied',
    'busy',
    'reset'
  ] as const) {
    t.is(decodeVerdict(encodeVerdict(verdict)[0]!), verdict)
  }
  t.is(decodeVerdict(200), 'failed')
})

test('which DNS messages can be relayed', t => {
  t.false(relayable(Buffer.alloc(11)))
  t.true(relayable(Buffer.alloc(12)))
  t.true(relayable(Buffer.alloc(4_095)))
  t.false(relayable(Buffer.alloc(4_096)))
})
