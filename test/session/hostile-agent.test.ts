// An agent that somebody else has taken over, as raw bytes: it gets no port, no host and no address of the laptop but what is exposed; what it
// must not say ends its session with a code; and no other session hears of it.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { Decoder } from '../../lib/mux/decoder.ts'
import { CREDIT, DATA, FIN, GOAWAY, type GoAwayCode, OPEN, PING, RESET } from '../../lib/mux/frame.ts'
import { MuxSession } from '../../lib/mux/session.ts'
import { Inbound } from '../../lib/session/traffic-in/inbound.ts'
import { encodeRequest, type Request } from '../../lib/tunnel/request.ts'
import { plainPair } from '../_support/carriers.ts'
import { bytesOf } from '../compliance/duplex.ts'
import { frame, number } from '../mux/_wire.ts'

const EXPOSED_PORT = 80
/** More than spec.md allows one side to have open. */
const FLOOD = 9_000
const CREDIT_OF_ANSWERS = 65_536

interface Ground {
  /** The hostile end of the carrier. */
  wire: Duplex
  session: MuxSession
  /** Calls that came to the exposed program, and to one that is not exposed. */
  called: { exposed: number; other: number }
  otherPort: number
  /** A second session of the same process still moves bytes. */
  othersGoOn(): Promise<boolean>
}

async function program(t: ExecutionContext, onCall: () => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    onCall()
    socket.on('error', () => {}).resume()
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function ground(t: ExecutionContext): Promise<Ground> {
  const called = { exposed: 0, other: 0 }
  const localPort = await program(t, () => called.exposed++)
  const otherPort = await program(t, () => called.other++)
  const { onStream } = new Inbound({ ports: [{ network: 'tcp', port: EXPOSED_PORT, hosts: ['127.0.0.1'], localPort }] })
  const [near, wire] = plainPair()
  const session = new MuxSession(near, { role: 'client', onStream })
  wire.on('error', () => {})
  const [a, b] = plainPair()
  const other = new MuxSession(a, { role: 'client', onStream })
  const agent = new MuxSession(b, { role: 'agent', onStream: stream => stream.pipe(stream) })
  t.teardown(async () => {
    wire.destroy()
    await Promise.all([session.close(), other.close(), agent.close()])
  })
  const othersGoOn = async (): Promise<boolean> => {
    const stream = other.open(Buffer.from('any'))
    stream.end('still here')
    return String(await bytesOf(stream)) === 'still here'
  }
  return { wire, session, called, otherPort, othersGoOn }
}

/** OPEN of an even id: the agent's. */
function open(id: number, request: Request | Uint8Array): Buffer {
  const bytes = request instanceof Uint8Array ? request : encodeRequest(request)
  return frame(OPEN, id, Buffer.concat([number(CREDIT_OF_ANSWERS), bytes]))
}

const call = (port: number, network: 'tcp' | 'udp' = 'tcp'): Request => ({
  ...{ kind: 'accepted', network, port, source: '10.244.1.9', sourcePort: 40_000, destination: '10.244.2.7' }
})

/** Answer to each stream: the first byte of DATA, or `reset`. */
function answers(wire: Duplex): Map<number, string> {
  const found = new Map<number, string>()
  const decoder = new Decoder({
    data: (id, bytes) => found.set(id, `verdict ${bytes[0]}`).size > 0,
    control(type, id) {
      if (type === RESET && !found.has(id)) found.set(id, 'reset')
      return true
    }
  })
  wire.on('data', (bytes: Buffer) => decoder.push(bytes))
  return found
}

test('what is not exposed is denied, however it is asked for', async t => {
  const { wire, session, called, otherPort, othersGoOn } = await ground(t)
  const found = answers(wire)
  const requests: (Request | Uint8Array)[] = [
    call(otherPort),
    call(EXPOSED_PORT, 'udp'),
    { kind: 'listening', port: otherPort },
    { kind: 'dial', host: '127.0.0.1', port: otherPort },
    { kind: 'dial', host: 'localhost', port: otherPort },
    { kind: 'datagrams', host: '127.0.0.1', port: otherPort },
    { kind: 'resolve', message: new Uint8Array(64) },
    { kind: 'facts' },
    { kind: 'traffic' },
    new Uint8Array(0),
    new Uint8Array(4_096).fill(255)
  ]
  for (const [i, request] of requests.entries()) wire.write(open(2 * (i + 1), request))
  while (found.size < requests.length) await once(wire, 'data')
  t.deepEqual(new Set(found.values()), new Set(['verdict 5'])) // denied
  t.deepEqual(called, { exposed: 0, other: 0 })
  t.true(session.attached)
  t.true(await othersGoOn())
})

const VIOLATIONS: [what: string, code: GoAwayCode, frames: (g: Ground) => Buffer[]][] = [
  ['a giant length', 'protocol', () => [Buffer.of(DATA, 0xff, 0xff, 0xff, 0, 0, 0, 2)]],
  ['a control frame of another length', 'protocol', () => [frame(PING, 0, new Uint8Array(7))]],
  ['a type that does not exist', 'protocol', () => [frame(200, 0)]],
  ['a stream with an id of the client', 'protocol', () => [open(1, call(EXPOSED_PORT))]],
  ['a stream id of 2³²−2', 'protocol', () => [open(0xffff_fffe, call(EXPOSED_PORT))]],
  ['ids that go backwards', 'protocol', () => [open(4, call(EXPOSED_PORT)), open(2, call(EXPOSED_PORT))]],
  ['bytes for a stream that never was', 'protocol', () => [frame(DATA, 8, Buffer.from('x'))]],
  ['a second FIN', 'protocol', () => [open(2, call(EXPOSED_PORT)), frame(FIN, 2), frame(FIN, 2)]],
  [
    'more bytes than it has credit for',
    'credit',
    () => [open(2, call(EXPOSED_PORT)), ...Array.from({ length: 8 }, () => frame(DATA, 2, new Uint8Array(65_536)))]
  ],
  ['no credit at all, said', 'protocol', () => [open(2, call(EXPOSED_PORT)), frame(CREDIT, 2, number(0))]],
  ['an acknowledgement of what was never sent', 'protocol', () => [frame(8, 0, number(0xffff_ffff, 0xffff_ffff))]]
]

for (const [what, code, frames] of VIOLATIONS) {
  test(`${what} ends that session with ${code}, and no other`, async t => {
    const there = await ground(t)
    const { wire, session, othersGoOn } = there
    let goodbye = false
    const decoder = new Decoder({
      data: () => true,
      control(type) {
        goodbye = type === GOAWAY
        return true
      }
    })
    wire.on('data', (bytes: Buffer) => decoder.push(bytes))
    for (const bytes of frames(there)) wire.write(bytes)
    t.is((await session.closed).code, code)
    while (!goodbye) await once(wire, 'data')
    t.true(await othersGoOn())
  })
}

test('credit without an end is not believed beyond what can be', async t => {
  const { wire, session, othersGoOn } = await ground(t)
  wire.resume()
  wire.write(open(2, call(EXPOSED_PORT)))
  for (let i = 0; i < 64; i++) wire.write(frame(CREDIT, 2, number(0xffff_ffff)))
  const { code } = await Promise.race([session.closed, once(wire, 'data').then(() => ({ code: 'goes on' }))])
  t.true(code === 'goes on' || code === 'credit' || code === 'protocol', code)
  t.true(await othersGoOn())
})

test('a flood of streams: no more than the bound are there, the rest is reset, the session goes on', async t => {
  const { wire, session, called, otherPort, othersGoOn } = await ground(t)
  const found = answers(wire)
  let resets = 0
  for (let i = 1; i <= FLOOD; i++) {
    if (!wire.write(open(2 * i, call(i % 2 === 0 ? otherPort : 81)))) await once(wire, 'drain')
  }
  while (found.size < FLOOD && session.attached) await once(wire, 'data')
  for (const answer of found.values()) if (answer === 'reset') resets += 1
  t.true(session.stats.streams <= 8_192)
  t.log(`${resets} of ${FLOOD} reset`)
  t.deepEqual(called, { exposed: 0, other: 0 })
  t.true(await othersGoOn())
})

test('streams without an end whose answers are not read: that session ends as a flood', async t => {
  const { wire, session, othersGoOn } = await ground(t)
  const opens = Buffer.concat(Array.from({ length: 64 }, (_, i) => open(2 * (i + 1), call(81))))
  wire.write(opens)
  let ended = false
  void session.closed.then(() => {
    ended = true
  })
  for (let i = 65; i < 200_000 && !ended; i += 64) {
    const more = Buffer.concat(Array.from({ length: 64 }, (_, j) => open(2 * (i + j), call(81))))
    if (!wire.write(more)) await new Promise(resolve => setImmediate(resolve))
  }
  const { code } = await session.closed
  t.is(code, 'flood')
  t.true(await othersGoOn())
})
