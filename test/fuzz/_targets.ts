// Everything that reads bytes of somebody else, each as a function that throws when something is wrong. The first byte of an input often
// says how the rest is cut into pieces: what is understood must not depend on it.
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { recoverJournals } from '../../lib/host/journal.ts'
import { stateDirectory } from '../../lib/host/state.ts'
import { SpdyReader } from '../../lib/kube/carrier/spdy.ts'
import { FrameReader } from '../../lib/kube/carrier/websocket.ts'
import { TOTAL_WINDOW } from '../../lib/mux/credit.ts'
import { decodeDatagram, parseGreeting, parseRequest4, parseRequest5 } from '../../lib/proxy/socks.ts'
import { parseRoutes } from '../../lib/router/config.ts'
import { BodyReader, requestFraming } from '../../lib/router/http1-body.ts'
import { endOfHead, RequestHead } from '../../lib/router/http1-head.ts'
import { forwardable } from '../../lib/router/http1-hop.ts'
import { ResponseReader } from '../../lib/router/http1-response.ts'
import { sniff } from '../../lib/router/sniff.ts'
import { sessions } from '../../lib/session/registry.ts'
import { Stack } from '../../lib/stack/stack.ts'
import { MemoryDevice } from '../../lib/tun/memory.ts'
import { DatagramDecoder } from '../../lib/tunnel/datagrams.ts'
import { parseExpose } from '../../lib/tunnel/expose.ts'
import { decodeRequest, encodeRequest } from '../../lib/tunnel/request.ts'
import { VirtualClock } from '../_support/clock.ts'
import { datagram, ENDS, ENDS6, packet, segment } from '../_support/packets.ts'
import { question, resolver } from '../dns/_table.ts'
import { control, data, goAway, reply, reset } from '../kube/_support/spdy-server.ts'
import { frame, number, Side } from '../mux/_wire.ts'

/** One reader. */
export interface Target {
  name: string
  /** Inputs that are good, to begin with. */
  seeds: Uint8Array[]
  /** Throws, or rejects, when an input does what none may do. Keeps nothing from one input to the next. */
  run(bytes: Uint8Array): void | Promise<void>
}

function must(what: string, so: boolean): void {
  if (!so) throw new Error(`not so: ${what}`)
}

/** The bytes behind the first one, in pieces of the length that it says; 0: in one. */
function pieces(bytes: Uint8Array): Uint8Array[] {
  const size = bytes[0] || bytes.length
  const found: Uint8Array[] = []
  for (let at = 1; at < bytes.length; at += size) found.push(bytes.subarray(at, at + size))
  return found
}

const seed = (...parts: (Uint8Array | string)[]): Uint8Array =>
  Buffer.concat([Buffer.of(0), ...parts.map(p => Buffer.from(p))])

const FRAMES = [
  frame(1, 1, Buffer.concat([number(65_536), Buffer.from('request')])),
  frame(1, 2, Buffer.concat([number(65_536), Buffer.from('request')])),
  ...[1, 2].flatMap(id => [
    frame(0, id, Buffer.from('some bytes')),
    frame(2, id, number(70_000)),
    frame(3, id),
    frame(4, id, number(1))
  ]),
  frame(5, 0, Buffer.alloc(8)),
  frame(6, 0, number(0, 1)),
  frame(8, 0, number(0, 8)),
  frame(7, 0, number(0))
]

function mux(role: 'client' | 'agent'): Target {
  return {
    name: `mux, ${role}`,
    seeds: [...FRAMES.map(bytes => seed(bytes)), seed(...FRAMES)],
    run(bytes) {
      const side = new Side(role)
      side.open(Buffer.from('ours'))
      let now = 0
      for (const piece of pieces(bytes)) {
        side.protocol.arrive(piece, now)
        now += 50
        side.protocol.timeout(now)
        side.transmitAll(now)
        const { promisedBytes } = side.protocol
        must('what is promised is bounded', promisedBytes >= 0 && promisedBytes <= TOTAL_WINDOW)
      }
      if (side.protocol.over) must('nothing is left of a session that is over', side.protocol.streams === 0)
    }
  }
}

const packets: Target = {
  name: 'packets',
  seeds: [
    segment(ENDS, 2, 1000, 0),
    segment(ENDS, 16, 1001, 1001, { text: Buffer.from('text') }),
    segment(ENDS6, 2, 1000, 0),
    datagram(ENDS, Buffer.from('datagram')),
    datagram(ENDS6, Buffer.from('datagram')),
    packet(ENDS, 1, Buffer.of(8, 0, 0, 0, 0, 1, 0, 1)),
    packet(ENDS6, 58, Buffer.of(128, 0, 0, 0, 0, 1, 0, 1)),
    packet(ENDS6, 44, Buffer.of(17, 0, 0, 1, 0, 0, 0, 9))
  ].map(bytes => Buffer.concat([Buffer.of(0, bytes.length), bytes])),
  async run(bytes) {
    const clock = new VirtualClock()
    const device = new MemoryDevice({ offload: true, written: () => true })
    const stack = new Stack({
      device,
      clock,
      random: () => 1000,
      onConnection: pending =>
        void pending
          .accept()
          .resume()
          .on('error', () => {}),
      onFlow(flow) {
        flow.onDatagram = datagramBytes => flow.send(datagramBytes)
      },
      onEcho: echo => echo.reply()
    })
    stack.start()
    for (let at = 0; at + 2 <= bytes.length; ) {
      const length = (bytes[at]! << 8) | bytes[at + 1]!
      device.inject({ packet: bytes.slice(at + 2, at + 2 + length), segmentSize: length & 1 ? 100 : 0 })
      at += 2 + length
    }
    clock.advance(500)
    await stack.close()
    must('a closed stack has no timers', clock.timers === 0)
  }
}

const dns: Target = {
  name: 'DNS',
  seeds: ['nginx.demo', 'outside.example', '7.0.96.10.in-addr.arpa'].map(name => seed(question(name))),
  async run(bytes) {
    const [first = 0] = bytes
    const message = bytes.subarray(1)
    const cluster = first & 2 ? async () => message : undefined
    const asked = first & 2 ? question('x.consul.cluster.local') : message
    const answer = await resolver(cluster === undefined ? {} : { cluster }).answer(asked, first & 1 ? 'tcp' : 'udp')
    must(
      'an answer is one, to this question',
      answer === undefined || (answer[0] === asked[0] && (answer[2]! & 0x80) !== 0)
    )
  }
}

/** What a reader says of all pieces, as text. */
function carrier(name: string, read: (pieces: Uint8Array[]) => string, seeds: Uint8Array[]): Target {
  const run = (bytes: Uint8Array): void => {
    const whole = read([bytes.subarray(1)])
    must('the same in any pieces', whole === read(pieces(bytes)))
  }
  return { name, seeds, run }
}

function readWebSocket(chunks: Uint8Array[]): string {
  let [data, said] = ['', '']
  const reader = new FrameReader({
    data: (bytes, first) => (data += `${first ? '|' : ''}${Buffer.from(bytes).toString('hex')}`),
    control: (opcode, bytes) => (said += `${opcode} ${Buffer.from(bytes).toString('hex')};`)
  })
  for (const chunk of chunks) if (reader.push(chunk) !== undefined) return `${data} ${said} wrong`
  return `${data} ${said}`
}

function readSpdy(chunks: Uint8Array[]): string {
  const data = new Map<number, string>()
  let said = ''
  const reader = new SpdyReader({
    data: (stream, bytes) => data.set(stream, (data.get(stream) ?? '') + Buffer.from(bytes).toString('hex')),
    reply: stream => (said += `reply ${stream};`),
    over: stream => (said += `over ${stream};`),
    ping: id => (said += `ping ${id};`)
  })
  let wrong = ''
  for (const chunk of chunks) {
    wrong = reader.push(chunk) === undefined ? '' : 'wrong'
    if (wrong !== '') break
  }
  return `${JSON.stringify([...data].filter(([, text]) => text !== ''))} ${said} ${wrong}`
}

const REQUEST =
  'POST /a?b=c HTTP/1.1\r\nHost: shop\r\nConnection: x-hop, upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n'
const RESPONSE =
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n'

const http: Target = {
  name: 'HTTP, requests',
  seeds: [
    seed(REQUEST, '5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n'),
    seed('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    seed('GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello')
  ],
  run(bytes) {
    const buffer = Buffer.from(bytes.subarray(1))
    sniff(buffer)
    const end = endOfHead(buffer)
    if (typeof end !== 'number' || end < 0) return
    const head = RequestHead.parse(buffer.subarray(0, end))
    const framing = head === undefined ? undefined : requestFraming(head)
    if (head === undefined || framing === undefined) return
    const forwarded = forwardable(head, buffer.subarray(0, end))
    if (forwarded !== undefined) {
      const again = RequestHead.parse(forwarded)
      must('what goes on is a request of the same length', again !== undefined && requestFraming(again) === framing)
    }
    const body = new BodyReader(framing)
    const whole = new BodyReader(framing).read(buffer, end)
    let at = 0
    for (const piece of pieces(Buffer.concat([bytes.subarray(0, 1), buffer.subarray(end)]))) {
      const read = body.read(piece, 0)
      must('a body is malformed in any pieces', (read === undefined) === (whole === undefined) || read !== undefined)
      if (read === undefined) return
      at += read
    }
    must('a body ends at the same byte in any pieces', whole === undefined || whole === end + at)
  }
}

const responses: Target = {
  name: 'HTTP, answers',
  seeds: [
    seed(RESPONSE),
    seed('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'),
    seed('HTTP/1.1 101 Switching Protocols\r\n\r\nbytes')
  ],
  run(bytes) {
    const read = (chunks: Uint8Array[]): string => {
      const reader = new ResponseReader('GET')
      const out: Buffer[] = []
      for (const chunk of chunks) {
        const { answer, rest } = reader.push(Buffer.from(chunk))
        out.push(Buffer.from(answer))
        if (rest !== undefined) return `${Buffer.concat(out).toString('hex')} ${reader.progress}`
      }
      return `${Buffer.concat(out).toString('hex')} ${reader.progress}`
    }
    must('the same answer in any pieces', read([bytes.subarray(1)]) === read(pieces(bytes)))
  }
}

const socks: Target = {
  name: 'SOCKS',
  seeds: [
    '05010005010001' + '7f0000010050',
    '0401005000000001' + '75007765622e64656d6f00',
    '0000000307' + '7765622e64656d' + '0050'
  ].map(hex => Buffer.from(hex, 'hex')),
  run(bytes) {
    for (const parse of [parseGreeting, parseRequest4, parseRequest5]) {
      const found = parse(bytes)
      if (typeof found === 'object') must('no more is taken than there is', found.length <= bytes.length)
    }
    decodeDatagram(bytes)
    const decoder = new DatagramDecoder(() => {})
    for (const piece of pieces(bytes)) if (!decoder.push(piece)) break
    const request = decodeRequest(bytes)
    if (request !== undefined && request.kind !== 'resolve')
      must('a request can be said again', decodeRequest(encodeRequest(request)) !== undefined)
  }
}

/** No process has this number: the greatest is 2²². */
const NOBODY = 4_194_305
const OWNER = { pid: NOBODY, started: 'long ago', network: 'net:[1]', boot: 'another' }

const files: Target = {
  name: 'state files and journals',
  seeds: [
    `${JSON.stringify({ owner: OWNER })}\n`,
    `${JSON.stringify({ owner: OWNER })}\n{"change":{"kind":"none"},"number":1}\n{"done":1}\n`,
    JSON.stringify({ pid: NOBODY, started: 'x', network: 'y' }),
    '{"originals":"web","ports":[{"port":80,"network":"tcp","to":"laptop","original":80,"fallback":false}]}',
    '{"version":1,"service":"a","originals":"b","ports":[{"port":80,"network":"tcp","original":80}],"routes":[]}'
  ].map(text => Buffer.from(text)),
  async run(bytes) {
    const [run, journal] = [stateDirectory('run'), stateDirectory('journal')]
    writeFileSync(join(run, `${NOBODY}.json`), bytes)
    must('nobody lives there', sessions().length === 0)
    for (const parse of [parseExpose, parseRoutes]) said(() => parse(Buffer.from(bytes).toString()))
    if (changesSomething(bytes)) return
    writeFileSync(join(journal, `${NOBODY}-1.journal`), bytes)
    await recoverJournals(journal)
    for (const name of readdirSync(journal)) rmSync(join(journal, name))
  }
}

/** A journal whose undoing would touch this computer. */
function changesSomething(bytes: Uint8Array): boolean {
  return Buffer.from(bytes)
    .toString()
    .split('\n')
    .some(line => {
      try {
        return !['none', undefined].includes((JSON.parse(line) as { change?: { kind?: string } }).change?.kind)
      } catch {
        return false
      }
    })
}

/** What is wrong with a file is said in an Error of our own, not stumbled over. */
function said(parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    must(`${String(error)} is one line of ours`, error instanceof Error && !(error instanceof TypeError))
  }
}

/** All of them. `run` of the last one needs a KT_HOME of its own. */
export const TARGETS: readonly Target[] = [
  packets,
  mux('client'),
  mux('agent'),
  dns,
  http,
  responses,
  carrier('WebSocket', readWebSocket, [
    seed(Buffer.of(0x82, 3), 'abc', Buffer.of(0x89, 1), 'p', Buffer.of(0x88, 2, 3, 232)),
    seed(Buffer.of(0x02, 126, 0, 200), Buffer.alloc(200), Buffer.of(0x80, 0)),
    seed(Buffer.of(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0), Buffer.alloc(100))
  ]),
  carrier('SPDY', readSpdy, [
    seed(reply(1), data(1, 'hello'), control(6, Buffer.of(0, 0, 0, 2)), goAway()),
    seed(control(4, Buffer.alloc(12)), data(3, '', true), reset(1), control(9, Buffer.alloc(8))),
    seed(control(8, Buffer.of(0, 0, 0, 5, 1, 2, 3), 1))
  ]),
  socks,
  files
]
