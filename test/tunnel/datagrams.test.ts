import { PassThrough } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { DatagramDecoder, MAX_DATAGRAM, MAX_QUEUED_BYTES, sendDatagram } from '../../lib/tunnel/datagrams.ts'

test('boundaries survive any chunking', t => {
  const datagrams = fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 20 })
  fc.assert(
    fc.property(datagrams, fc.integer({ min: 1, max: 3_000 }), (sent, size) => {
      const stream = new PassThrough({ highWaterMark: 1_000_000 })
      for (const bytes of sent) sendDatagram(stream, bytes)
      const bytes: Buffer = stream.read() ?? Buffer.alloc(0)
      const received: string[] = []
      const decoder = new DatagramDecoder(datagram => received.push(Buffer.from(datagram).toString('hex')))
      for (let at = 0; at < bytes.length; at += size) decoder.push(bytes.subarray(at, at + size))
      return JSON.stringify(received) === JSON.stringify(sent.map(datagram => Buffer.from(datagram).toString('hex')))
    })
  )
  t.pass()
})

test('a length that no datagram has is refused', t => {
  const decoder = new DatagramDecoder(() => t.fail())
  t.false(decoder.push(Buffer.of(0xff, 0xff)))
  t.true(new DatagramDecoder(() => {}).push(Buffer.of(MAX_DATAGRAM >> 8, MAX_DATAGRAM & 0xff)))
})

test('beyond the bound datagrams are dropped', t => {
  const stream = new PassThrough({ highWaterMark: 1_000 })
  let taken = 0
  while (sendDatagram(stream, Buffer.alloc(10_000)) && taken < 1_000) taken += 1
  t.true(stream.writableLength > MAX_QUEUED_BYTES - 10_000)
  t.true(stream.writableLength < MAX_QUEUED_BYTES + 20_000)
  stream.destroy()
  t.false(sendDatagram(stream, Buffer.alloc(1)))
})
