import test from 'ava'
import { MemoryDevice } from '../../lib/tun/memory.ts'
import { type PacketSeen, traceDevice } from '../../lib/tun/tracer.ts'
import { printPacket } from '../../lib/wire/print.ts'
import { datagram, ENDS } from '../_support/packets.ts'

test('the tracer shows what comes in and what the device took, and changes nothing', t => {
  const lines: string[] = []
  const written: number[] = []
  let takes = true
  const memory = new MemoryDevice({
    written(packet) {
      written.push(packet.length)
      return takes
    }
  })
  const listener: PacketSeen = (direction, bytes, start, end) => {
    lines.push(`${direction} ${printPacket(bytes, start, end)}`)
  }
  const listeners = new Set([listener])
  const device = traceDevice(memory, listeners)
  let arrived = 0
  device.start(
    batch => {
      arrived += batch.count
    },
    () => {}
  )
  const packet = datagram(ENDS, new Uint8Array(5))
  memory.inject(packet, packet)
  const bytes = new Uint8Array(20 + packet.length)
  bytes.set(packet, 20)
  const none = { checksumStart: 0, checksumOffset: 0, segmentSize: 0, headerLength: 0 }
  t.true(device.write(bytes, 20, bytes.length, none))
  takes = false
  t.false(device.write(bytes, 20, bytes.length, none))
  t.is(arrived, 2)
  t.deepEqual(written, [packet.length, packet.length])
  const line = 'IP 198.18.0.1.40000 > 10.96.0.7.80: UDP, length 5'
  t.deepEqual(lines, [`in ${line}`, `in ${line}`, `out ${line}`])

  listeners.delete(listener)
  takes = true
  memory.inject(packet)
  t.true(device.write(bytes, 20, bytes.length, none))
  t.is(arrived, 3)
  t.is(lines.length, 3, 'who has gone is told nothing')
})
