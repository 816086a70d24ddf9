import test from 'ava'
import fc from 'fast-check'
import { add, finish } from '../../lib/wire/checksum.ts'
import { ICMPV6, IpView, TCP, UDP } from '../../lib/wire/ip.ts'
import { emitIpv4Fragment } from '../../lib/wire/ipv4.ts'
import { emitIpv6Fragment } from '../../lib/wire/ipv6.ts'
import { ENDS, ENDS6, packet } from '../_support/packets.ts'

function wrap(bytes: Uint8Array): IpView | undefined {
  const view = new IpView()
  return view.wrap(bytes, 0, bytes.length) ? view : undefined
}

test('what emitIp writes, IpView reads', t => {
  for (const ends of [ENDS, ENDS6]) {
    const bytes = packet(ends, TCP, new Uint8Array(33))
    const view = wrap(Uint8Array.from([...bytes, 1, 2, 3]))! // more behind it is not part of it
    t.is(view.version, ends === ENDS ? 4 : 6)
    t.is(view.protocol, TCP)
    t.is(view.source, ends.source)
    t.is(view.destination, ends.destination)
    t.is(view.end, bytes.length)
    t.is(view.end - view.payload, 33)
    t.false(view.fragmented)
    t.true(view.unicast)
  }
  t.is(finish(add(0, packet(ENDS, TCP, new Uint8Array(3)), 0, 20)), 0, 'the header checksum is right')
})

test('IPv4 options are stepped over', t => {
  const bytes = new Uint8Array(32 + 8)
  bytes.set(packet(ENDS, UDP, new Uint8Array(20)))
  bytes[0] = 0x48
  t.is(wrap(bytes)!.payload, 32)
})

test('IPv6 extension headers are walked, in any combination', t => {
  // hop-by-hop (0), routing (43), destination options (60), authentication (51): 8, 16, 24 and 12 bytes
  const chain = [
    { number: 0, bytes: ext(8, 0) },
    { number: 43, bytes: ext(16, 1) },
    { number: 60, bytes: ext(24, 2) },
    { number: 51, bytes: ext(12, 1) }
  ]
  for (let mask = 0; mask < 16; mask++) {
    const chosen = chain.filter((_, i) => mask & (1 << i))
    for (const [i, { bytes }] of chosen.entries()) bytes[0] = chosen[i + 1]?.number ?? UDP
    const headers = Buffer.concat(chosen.map(({ bytes }) => bytes))
    const view = wrap(packet(ENDS6, chosen[0]?.number ?? UDP, Buffer.concat([headers, new Uint8Array(8)])))!
    t.is(view.protocol, UDP)
    t.is(view.payload, 40 + headers.length)
  }
})

test('IPv6 extension headers without end, or cut off, are no packet', t => {
  const many = Buffer.concat(Array.from({ length: 40 }, () => ext(8, 0)))
  t.is(wrap(packet(ENDS6, 60, many.fill(60, 0, 1))), undefined)
  t.is(wrap(packet(ENDS6, 60, ext(8, 5))), undefined, 'longer than the packet')
  t.is(wrap(packet(ENDS6, 43, new Uint8Array(7))), undefined)
  t.is(wrap(packet(ENDS6, 59, new Uint8Array(0)))!.protocol, 59, 'no next header')
})

test('fragments', t => {
  const v4 = packet(ENDS, UDP, new Uint8Array(16))
  emitIpv4Fragment(v4, 0, 36, 0xabcd, 1480, true)
  const first = wrap(v4)!
  t.true(first.fragmented)
  t.deepEqual([first.v4.identification, first.v4.fragmentOffset, first.v4.moreFragments], [0xabcd, 1480, true])
  emitIpv4Fragment(v4, 0, 36, 1, 8, false)
  t.true(wrap(v4)!.fragmented)
  t.is(finish(add(0, v4, 0, 20)), 0)

  const v6 = packet(ENDS6, 44, new Uint8Array(24))
  emitIpv6Fragment(v6, 40, ICMPV6, 0xdeadbeef, 1448, true)
  const view = wrap(v6)!
  t.true(view.fragmented)
  t.is(view.protocol, ICMPV6)
  t.is(view.payload, 48)
  t.deepEqual([view.v6.identification, view.v6.fragmentOffset, view.v6.moreFragments], [0xdeadbeef, 1448, true])
  emitIpv6Fragment(v6, 40, UDP, 1, 0, false)
  t.false(wrap(v6)!.fragmented, 'an atomic fragment is whole')
  t.is(wrap(v6)!.protocol, UDP)
})

test('who is meant', t => {
  const unicast = (source: string, destination: string): boolean =>
    wrap(packet({ ...ENDS, source, destination }, UDP, new Uint8Array(8)))!.unicast
  t.true(unicast('10.0.0.1', '10.0.0.2'))
  t.true(unicast('10.0.0.1', '240.0.0.1') && unicast('254.255.255.255', '10.0.0.1'))
  t.true(unicast('fd00::1', 'fe80::2'))
  for (const destination of ['224.0.0.1', '255.255.255.255', '0.0.0.0', '239.255.255.255']) {
    t.false(unicast('10.0.0.1', destination))
    t.false(unicast(destination, '10.0.0.1'))
  }
  t.false(unicast('fd00::1', 'ff02::1'))
  t.false(unicast('::', 'fd00::1'))
})

test('no bytes make `wrap` throw, and what it accepts lies inside', t => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc
      .tuple(fc.constantFrom(0x45, 0x46, 0x4f, 0x60), fc.uint8Array({ minLength: 19, maxLength: 120 }))
      .map(([first, rest]) => {
        const all = Uint8Array.from([first, ...rest])
        // A length that fits, so that more than the length is tested.
        if (first === 0x60) all.set([0, Math.max(0, all.length - 40)], 4)
        else all.set([0, all.length], 2)
        return all
      })
  )
  t.notThrows(() =>
    fc.assert(
      fc.property(bytes, all => {
        const view = wrap(all)
        return view === undefined || (view.payload <= view.end && view.end <= all.length && view.source !== '')
      }),
      { numRuns: 5000 }
    )
  )
})

/** An extension header of `length` bytes with this length field. */
function ext(length: number, field: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes[1] = field
  return bytes
}
