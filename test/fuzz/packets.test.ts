// Arbitrary and damaged packets into a whole stack: it never throws, and what it keeps stays bounded.
import type { Duplex } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { MAX_CONNECTIONS } from '../../lib/stack/segments.ts'
import { Stack } from '../../lib/stack/stack.ts'
import { MemoryDevice } from '../../lib/tun/memory.ts'
import { MAX_FLOWS } from '../../lib/udp/flows.ts'
import { ICMP, ICMPV6, UDP } from '../../lib/wire/ip.ts'
import { printPacket } from '../../lib/wire/print.ts'
import { VirtualClock } from '../_support/clock.ts'
import { datagram, ENDS, ENDS6, packet, segment } from '../_support/packets.ts'

/** How long to search, in ms. */
const SEARCH_MS = Number(process.env.FUZZ_SECONDS ?? 10) * 1000

const payload = fc.uint8Array({ maxLength: 80 })
const port = fc.constantFrom(1, 2, 80)
const ends = fc
  .tuple(fc.constantFrom(ENDS, ENDS6), port, port)
  .map(([base, sourcePort, destinationPort]) => ({ ...base, sourcePort, destinationPort }))
const number = fc.oneof(fc.constantFrom(0, 1, 2, 1000, 1001, 1002, -1), fc.integer())

const wellFormed = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(ends, fc.nat(63), number, number, payload, fc.nat(65_535))
      .map(([e, flags, seq, ack, text, wnd]) => segment(e, flags, seq, ack, { text, wnd }))
  },
  fc.tuple(ends, payload).map(([e, bytes]) => datagram(e, bytes)),
  fc
    .tuple(ends, fc.constantFrom(0, 43, 44, 51, 60, ICMP, ICMPV6, UDP), payload)
    .map(([e, protocol, bytes]) => packet(e, protocol, bytes))
)
/** Bytes changed, cut off or added. */
const damaged = fc
  .tuple(wellFormed, fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 4 }), fc.integer({ min: -30, max: 10 }))
  .map(([bytes, changes, longer]) => {
    const result = new Uint8Array(Math.max(0, bytes.length + longer))
    result.set(bytes.subarray(0, result.length))
    for (const [at, value] of changes) if (at < result.length) result[at] = value
    return result
  })
const anyPacket = fc.oneof(wellFormed, damaged, damaged, payload)

const step = fc.record({
  packets: fc.array(fc.record({ packet: anyPacket, segmentSize: fc.constantFrom(0, 0, 1, 20, 65_535) }), {
    maxLength: 12
  }),
  decide: fc.constantFrom('accept', 'refuse', 'unreachable', 'drop', 'wait'),
  act: fc.constantFrom('write', 'end', 'destroy', 'read', 'nothing'),
  passMs: fc.constantFrom(0, 1, 200, 3000, 130_000)
})

test('whatever arrives, nothing is thrown and nothing grows without a bound', async t => {
  const property = fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 20 }), async (offload, steps) => {
    const clock = new VirtualClock()
    let well = true
    const device = new MemoryDevice({
      offload,
      written(bytes) {
        // What leaves can be read.
        if (/malformed/.test(printPacket(bytes, 0, bytes.length))) well = false
        return true
      }
    })
    let decide = 'accept'
    const connections: Duplex[] = []
    const stack = new Stack({
      device,
      clock,
      random: () => 1000,
      onConnection(pending) {
        if (decide === 'accept') connections.push(pending.accept())
        else if (decide === 'refuse') pending.refuse()
        else if (decide === 'unreachable') pending.unreachable()
        else if (decide === 'drop') pending.drop()
      },
      onFlow(flow) {
        flow.onDatagram = bytes => flow.send(bytes)
        if (decide === 'unreachable') flow.unreachable()
      },
      onEcho: echo => echo.reply()
    })
    stack.start()
    for (const { packets, decide: next, act, passMs } of steps) {
      decide = next
      device.inject(...packets)
      for (const connection of connections) {
        if (act === 'write' && !connection.writableEnded) connection.write('some bytes')
        else if (act === 'end') connection.end()
        else if (act === 'destroy') connection.destroy()
        else if (act === 'read') connection.resume()
      }
      await new Promise(resolve => setImmediate(resolve))
      clock.advance(passMs)
    }
    const { connections: open, flows } = stack.size
    await stack.close()
    return well && open <= MAX_CONNECTIONS && flows <= MAX_FLOWS && stack.size.connections === 0 && clock.timers === 0
  })
  await t.notThrowsAsync(
    fc.assert(property, { numRuns: 1_000_000, interruptAfterTimeLimit: SEARCH_MS, markInterruptAsFailure: false })
  )
})

test('the printer has a line for anything', t => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyPacket, bytes => /^[^\n]+$/.test(printPacket(bytes, 0, bytes.length))),
      { numRuns: 1_000_000, interruptAfterTimeLimit: SEARCH_MS / 4, markInterruptAsFailure: false }
    )
  )
})
