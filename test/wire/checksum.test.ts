import test from 'ava'
import fc from 'fast-check'
import { add, addPseudoHeader, finish, fold } from '../../lib/wire/checksum.ts'

/** RFC 1071 as it is written there: two bytes at a time, every carry at once. */
function naive(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
    sum = (sum & 0xffff) + (sum >>> 16)
  }
  return sum
}

test('equals the naive sum, for any bytes at any alignment', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(7), fc.nat(9), (bytes, shift, margin) => {
      const memory = new Uint8Array(shift + bytes.length + margin).fill(0xff)
      memory.set(bytes, shift)
      const inView = memory.subarray(shift)
      const sum = naive(bytes)
      return (
        fold(add(0, memory, shift, shift + bytes.length)) === sum &&
        fold(add(0, inView, 0, bytes.length)) === sum &&
        finish(add(0, inView, 0, bytes.length)) === (~sum & 0xffff)
      )
    }),
    { numRuns: 2000 }
  )
  t.pass()
})

test('does not overflow: the largest packet full of ones, and more', t => {
  for (const length of [65_535, 65_536, 65_537, 1_000_003]) {
    const bytes = new Uint8Array(length).fill(0xff)
    t.is(fold(add(0, bytes, 0, length)), naive(bytes), `${length}`)
  }
})

test('pieces of even length add up', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(100), (bytes, half) => {
      const cut = Math.min(half * 2, bytes.length & ~1)
      return fold(add(add(0, bytes, 0, cut), bytes, cut, bytes.length)) === naive(bytes)
    })
  )
  t.pass()
})

test('a packet with its checksum in it sums to zero', t => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), bytes => {
      bytes[0] = bytes[1] = 0
      const sum = finish(add(0, bytes, 0, bytes.length))
      bytes[0] = sum >>> 8
      bytes[1] = sum
      return finish(add(0, bytes, 0, bytes.length)) === 0
    })
  )
  t.pass()
})

test('RFC 1071 §3, the example', t => {
  t.is(fold(add(0, Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7), 0, 8)), 0xddf2)
})

test('the pseudo-header of a real SYN: 192.168.1.1 → 192.168.1.2, TCP', t => {
  const addresses = Uint8Array.of(192, 168, 1, 1, 192, 168, 1, 2)
  // 0xc0a8 + 0x0101 + 0xc0a8 + 0x0102 + 6 + 40
  t.is(fold(addPseudoHeader(0, addresses, 0, 8, 6, 40)), fold(0xc0a8 * 2 + 0x0203 + 46))
  // A length above 16 bits, as a super-segment of IPv6 may have, is two words of the pseudo-header.
  t.is(fold(addPseudoHeader(0, addresses, 0, 8, 6, 0x1_0005)), fold(0xc0a8 * 2 + 0x0203 + 6 + 1 + 5))
})
