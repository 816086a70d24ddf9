import test from 'ava'
import fc from 'fast-check'
import { ACK, FIN, HEADER_LENGTH, SYN, TcpView } from '../../lib/wire/tcp.ts'

const u16 = fc.nat(0xffff)
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

test('what is written is read, and nothing else is touched', t => {
  fc.assert(
    fc.property(
      fc.record({ sourcePort: u16, destinationPort: u16, seq: i32, ack: i32, flags: fc.nat(0xff), wnd: u16 }),
      fc.nat(10),
      fc.nat(9),
      fc.nat(30),
      (f, start, words, textLength) => {
        const end = start + HEADER_LENGTH + words * 4 + textLength
        const bytes = new Uint8Array(end + 5).fill(0xa5)
        const view = new TcpView()
        view.bytes = bytes
        view.start = start
        view.end = end
        view.emit(f.sourcePort, f.destinationPort, f.seq, f.ack, f.flags, f.wnd, words * 4)
        const { sourcePort, destinationPort, seq, ack, flags, wnd } = view
        const read = JSON.stringify({ sourcePort, destinationPort, seq, ack, flags, wnd }) === JSON.stringify(f)
        const outside = [...bytes.subarray(0, start), ...bytes.subarray(start + HEADER_LENGTH)]
        return (
          read &&
          view.wrap(bytes, start, end) &&
          view.headerLength === HEADER_LENGTH + words * 4 &&
          view.textLength === textLength &&
          view.text.length === textLength &&
          view.checksum === 0 &&
          outside.every(b => b === 0xa5)
        )
      }
    )
  )
  t.pass()
})

test('wrap: false for what cannot be a segment, and never throws', t => {
  const view = new TcpView()
  const bytes = new Uint8Array(40)
  bytes[12] = 0x50
  t.true(view.wrap(bytes, 0, 20))
  t.false(view.wrap(bytes, 0, 19))
  t.false(view.wrap(bytes, 0, 41))
  t.false(view.wrap(bytes, -1, 30))
  bytes[12] = 0x40 // a header of 16 bytes
  t.false(view.wrap(bytes, 0, 40))
  bytes[12] = 0xb0 // a header of 44 bytes
  t.false(view.wrap(bytes, 0, 40))
  t.true(view.wrap(new Uint8Array(44).fill(0xb0), 0, 44))
})

test('SEG.LEN counts SYN and FIN', t => {
  const view = new TcpView()
  const bytes = new Uint8Array(25)
  bytes[12] = 0x50
  t.true(view.wrap(bytes, 0, 25))
  const lengths = [ACK, SYN, FIN | ACK, SYN | FIN].map(flags => {
    bytes[13] = flags
    return view.len
  })
  t.deepEqual(lengths, [5, 6, 6, 7])
})

test('the checksum has its place', t => {
  const view = new TcpView()
  const bytes = new Uint8Array(20)
  bytes[12] = 0x50
  t.true(view.wrap(bytes, 0, 20))
  view.checksum = 0xabcd
  t.is(view.checksum, 0xabcd)
  t.deepEqual([...bytes.subarray(16, 18)], [0xab, 0xcd])
})
