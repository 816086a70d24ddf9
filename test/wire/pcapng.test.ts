// The blocks as draft-ietf-opsawg-pcapng §4 lays them out, byte by byte.
import test from 'ava'
import fc from 'fast-check'
import { pcapngHeader, pcapngName, pcapngPacket } from '../../lib/wire/pcapng.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('section and interface', t => {
  t.is(
    hex(pcapngHeader('kt', 'kt0')),
    '0a0d0d0a' +
      '00000028' +
      '1a2b3c4d' +
      '00010000' +
      'ffffffffffffffff' +
      '00040002' +
      '6b740000' +
      '00000000' +
      '00000028' +
      '00000001' +
      '00000020' +
      '0065' +
      '0000' +
      '00000000' +
      '00020003' +
      '6b743000' +
      '00000000' +
      '00000020'
  )
})

test('a packet with a comment and its direction', t => {
  const bytes = Uint8Array.from([9, 1, 2, 3, 9])
  const block = pcapngPacket({ bytes, start: 1, end: 4, timeMs: 1_700_000_000_123.5, direction: 'out', comment: 'web' })
  const micros = 1_700_000_000_123_500n.toString(16).padStart(16, '0')
  t.is(
    hex(block),
    '00000006' +
      '00000038' +
      '00000000' +
      micros +
      '00000003' +
      '00000003' +
      '01020300' +
      '00010003' +
      '77656200' +
      '00020004' +
      '00000002' +
      '00000000' +
      '00000038'
  )
})

test('a name for an address of either family', t => {
  t.is(
    hex(pcapngName(Uint8Array.from([10, 96, 0, 7]), ['web'])),
    '00000004' + '0000001c' + '00010008' + '0a600007' + '77656200' + '00000000' + '0000001c'
  )
  t.is(hex(pcapngName(new Uint8Array(16), ['a', 'b'])).slice(16, 24), '00020014')
})

test('every block is a multiple of four bytes and says its length twice', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.string(), fc.boolean(), (bytes, comment, out) => {
      const direction = out ? 'out' : 'in'
      const block = pcapngPacket({ bytes, start: 0, end: bytes.length, timeMs: 1, direction, comment })
      const view = new DataView(block.buffer)
      return (
        block.length % 4 === 0 &&
        view.getUint32(4) === block.length &&
        view.getUint32(block.length - 4) === block.length
      )
    })
  )
  t.pass()
})
