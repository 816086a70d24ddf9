import { once } from 'node:events'
import test from 'ava'
import { ACK, FIN, RST } from '../../lib/wire/tcp.ts'
import { ENDS, ENDS6, segment } from '../_support/packets.ts'
import { IRS, ISS, rig } from './_stack.ts'

const TO = 'IP 10.96.0.7.80 > 198.18.0.1.40000:'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('a batch of segments is one ACK and one chunk', async t => {
  const { device, lines, open } = rig(t)
  const connection = await open()
  const chunks: string[] = []
  connection.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  await lines()
  device.inject(
    segment(ENDS, ACK, IRS + 1, ISS + 1, { text: bytes('one ') }),
    segment(ENDS, ACK, IRS + 5, ISS + 1, { text: bytes('two ') }),
    segment(ENDS, ACK, IRS + 9, ISS + 1, { text: bytes('three') })
  )
  const said = await lines()
  t.is(said.length, 1)
  t.regex(said[0]!, /Flags \[\.\], ack 14,/)
  t.deepEqual(chunks, ['one two three'])
})

test('writes of one turn leave as super-segments, cut at the MSS by the device', async t => {
  for (const [offload, lengths, sizes] of [
    [true, [10_000], [1460]],
    [false, [1460, 1460, 1460, 1460, 1460, 1460, 1240], [0, 0, 0, 0, 0, 0, 0]]
  ] as const) {
    const { lines, open, sent } = rig(t, { offload })
    const connection = await open()
    const from = sent.length
    for (let i = 0; i < 10; i++) connection.write(Buffer.alloc(1000, i))
    const said = await lines()
    t.deepEqual(
      said.map(line => Number(/length (\d+)$/.exec(line)![1])),
      [...lengths]
    )
    t.deepEqual(
      sent.slice(from).map(({ offload: order }) => order.segmentSize),
      [...sizes]
    )
  }
})

test('IPv6: the MSS is 20 less, and the answer goes back', async t => {
  const { lines, open, device } = rig(t)
  const connection = await open(ENDS6)
  connection.write('hello')
  t.deepEqual(await lines(), [
    `IP6 fd00:96::7.80 > fd6b:7400::1.40000: Flags [P.], seq ${ISS + 1}:${ISS + 6}, ack ${IRS + 1}, win 65535, length 5`
  ])
  device.inject(segment(ENDS6, ACK, IRS + 1, ISS + 6, { text: bytes('hi') }))
  const [data] = (await once(connection, 'data')) as [Buffer]
  t.is(data.toString(), 'hi')
})

test('what is not read is not consumed: the window closes and opens again', async t => {
  const { device, lines, open } = rig(t)
  const connection = await open()
  let seq = IRS + 1
  let window = 65_535
  // Nobody reads; the laptop fills what it is offered.
  for (let i = 0; i < 100 && window > 0; i++) {
    const text = new Uint8Array(Math.min(16_000, window)).fill(i)
    device.inject(segment(ENDS, ACK, seq, ISS + 1, { text }))
    seq += text.length
    const said = (await lines()).at(-1)!
    window = Number(/win (\d+)/.exec(said)![1]) - (seq - Number(/ack (\d+)/.exec(said)![1]))
  }
  t.is(window, 0)
  t.true(seq < 600_000, `${seq} bytes were taken`)
  let read = 0
  connection.on('data', (chunk: Buffer) => {
    read += chunk.length
  })
  const said = await lines()
  t.is(read, seq - IRS - 1)
  t.regex(said.at(-1)!, /Flags \[\.\], ack \d+, win [1-9]/, 'a window update leaves')
})

test('writes are held until the endpoint has room, and the writer is told', async t => {
  const { device, lines, open } = rig(t)
  const connection = await open()
  let accepted = 0
  const chunk = Buffer.alloc(256 * 1024)
  const done = new Promise<void>(resolve => {
    for (let i = 0; i < 16; i++) {
      connection.write(chunk, () => {
        accepted++
        if (accepted === 16) resolve()
      })
    }
  })
  let said = await lines()
  t.true(accepted < 16, 'four megabytes are not taken at once')
  // The laptop acknowledges what it got, until nothing comes any more.
  while (said.length > 0) {
    const top = Math.max(...said.map(line => Number(/seq \d+:(\d+)/.exec(line)![1])))
    device.inject(segment(ENDS, ACK, IRS + 1, top))
    said = await lines()
  }
  await done
  t.is(accepted, 16)
})

test('end is FIN and the other direction stays; both ends close it in good order', async t => {
  const { device, lines, open, stack, clock } = rig(t)
  const connection = await open()
  const chunks: string[] = []
  connection.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  connection.end('bye')
  t.deepEqual(await lines(), [`${TO} Flags [FP.], seq ${ISS + 1}:${ISS + 5 - 1}, ack ${IRS + 1}, win 65535, length 3`])
  device.inject(segment(ENDS, ACK, IRS + 1, ISS + 5, { text: bytes('more') }))
  await lines()
  t.deepEqual(chunks, ['more'])
  t.false(connection.destroyed)
  const closed = once(connection, 'close')
  device.inject(segment(ENDS, FIN | ACK, IRS + 5, ISS + 5))
  await closed
  t.regex((await lines()).join(), /^[^\n]*Flags \[\.\], ack 6,/)
  t.is(stack.size.connections, 1, 'TIME-WAIT')
  clock.advance(60_000)
  t.is(stack.size.connections, 0)
  t.is(clock.timers, 0)
})

test('the last bytes and the end are read although the peer is gone already', async t => {
  const { device, lines, open, stack } = rig(t)
  const connection = await open()
  connection.end()
  await lines()
  device.inject(segment(ENDS, FIN | ACK, IRS + 1, ISS + 2, { text: bytes('late reader') }))
  await lines()
  device.inject(segment(ENDS, RST, IRS + 13, 0)) // in TIME-WAIT: it takes nothing away
  await lines()
  t.is(stack.size.connections, 0)
  const chunks: Buffer[] = []
  for await (const chunk of connection) chunks.push(chunk as Buffer)
  t.is(Buffer.concat(chunks).toString(), 'late reader')
})

test('destroy before both ends is RST, and memory is given back', async t => {
  const { lines, open, stack } = rig(t)
  const connection = await open()
  connection.write('x')
  await lines()
  connection.destroy()
  t.deepEqual(await lines(), [`${TO} Flags [R.], seq ${ISS + 2}, ack ${IRS + 1}, win 0, length 0`])
  t.is(stack.size.connections, 0)
})

test("the peer's RST is ECONNRESET, its silence ETIMEDOUT", async t => {
  const { device, lines, open, stack, clock } = rig(t)
  const first = await open()
  const reset = once(first, 'error') as Promise<NodeJS.ErrnoException[]>
  device.inject(segment(ENDS, RST, IRS + 1, 0))
  t.is((await reset)[0]!.code, 'ECONNRESET')
  t.is(stack.size.connections, 0)
  const second = await open({ ...ENDS, sourcePort: 40_001 })
  const timeout = once(second, 'error') as Promise<NodeJS.ErrnoException[]>
  second.write('is anybody there?')
  await lines()
  clock.advance(300_000)
  t.is((await timeout)[0]!.code, 'ETIMEDOUT')
  t.is(stack.size.connections, 0)
  t.is(clock.timers, 0)
})

test('one timer: it follows the earliest deadline of all connections', async t => {
  const { lines, open, clock, device } = rig(t)
  const connections = []
  for (let i = 0; i < 50; i++) connections.push(await open({ ...ENDS, sourcePort: 2000 + i }))
  for (const connection of connections) {
    connection.write('x')
    await lines()
    clock.advance(1)
  }
  t.is(clock.timers, 1)
  clock.advance(5000)
  const again = (await lines()).filter(line => line.includes('length 1'))
  t.true(new Set(again.map(line => / > (\S+):/.exec(line)![1])).size === 50, 'each was sent again')
  t.is(clock.timers, 1)
  device.inject()
})
