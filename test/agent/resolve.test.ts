// Relaying DNS messages, against nameservers of the test's own on loopback.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Nameserver, nameservers, resolve } from '../../shadow-agent/resolve.ts'

const QUESTION = Buffer.from('12340100000100000000000001780000010001', 'hex')
const never = new AbortController().signal

async function nameserver(t: ExecutionContext, answer: (question: Buffer) => Buffer | undefined, port = 0) {
  const socket: Socket = createSocket('udp4').bind(port, '127.0.0.1')
  const seen: Buffer[] = []
  socket.on('message', (question, { port, address }) => {
    seen.push(question)
    const bytes = answer(question)
    if (bytes !== undefined) socket.send(bytes, port, address)
  })
  await once(socket, 'listening')
  t.teardown(() => void socket.close())
  return { server: { address: '127.0.0.1', port: socket.address().port } satisfies Nameserver, seen }
}

function reply(question: Buffer, text: string, truncated = false): Buffer {
  const bytes = Buffer.concat([question, Buffer.from(text)])
  bytes[2] = bytes[2]! | 0x80 | (truncated ? 0x02 : 0)
  return bytes
}

test('resolv.conf: three nameservers, nothing else', t => {
  const text =
    '# x\nnameserver 10.96.0.10\nsearch a b\n nameserver  fd00::a\nnameserver no\nnameserver fe80::1%eth0\nnameserver 1.1.1.1'
  t.deepEqual(
    nameservers(text).map(({ address }) => address),
    ['10.96.0.10', 'fd00::a', 'fe80::1%eth0']
  )
  t.deepEqual(nameservers(''), [])
})

test('the answer carries the id of the question, the nameserver sees another', async t => {
  const { server, seen } = await nameserver(t, question => reply(question, 'answer'))
  const ids = new Set<number>()
  for (let i = 0; i < 5; i++) {
    const answer = await resolve(QUESTION, [server], never)
    t.is(answer.verdict, 'opened')
    if (answer.verdict !== 'opened') return
    t.is(Buffer.from(answer.message).readUInt16BE(0), 0x1234)
    t.true(Buffer.from(answer.message).toString().endsWith('answer'))
    ids.add(seen[i]!.readUInt16BE(0))
  }
  t.true(ids.size > 1)
})

test('an answer under another id is not one; the next nameserver is asked', async t => {
  const liar = await nameserver(t, question => {
    const bytes = reply(question, 'lie')
    bytes.writeUInt16BE(bytes.readUInt16BE(0) ^ 1, 0)
    return bytes
  })
  const honest = await nameserver(t, question => reply(question, 'truth'))
  const answer = await resolve(QUESTION, [liar.server, honest.server], never)
  t.true(answer.verdict === 'opened' && Buffer.from(answer.message).toString().endsWith('truth'))
})

test('a nameserver whose port is closed costs no time', async t => {
  const { server } = await nameserver(t, question => reply(question, 'answer'))
  const closed = createSocket('udp4').bind(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address()
  await new Promise<void>(done => closed.close(() => done()))
  const began = performance.now()
  const answer = await resolve(QUESTION, [{ address: '127.0.0.1', port }, server], never)
  t.is(answer.verdict, 'opened')
  t.true(performance.now() - began < 1_400)
})

test('nobody answers: timeout; nobody is there to ask: timeout', async t => {
  const { server, seen } = await nameserver(t, () => undefined)
  t.is((await resolve(QUESTION, [server], never)).verdict, 'timeout')
  t.is(seen.length, 2)
  t.is((await resolve(QUESTION, [], never)).verdict, 'timeout')
})

test('a truncated answer is asked for again over TCP', async t => {
  const long = 'long'.repeat(1_000)
  const tcp = createServer(socket => {
    socket.once('data', framed => {
      const answer = reply(framed.subarray(2), long)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      socket.write(length.subarray(0, 1))
      setTimeout(() => socket.end(Buffer.concat([length.subarray(1), answer])), 20)
    })
  }).listen(0, '127.0.0.1') // first: the numbers of TCP are in use by far more sockets of a computer than those of UDP
  await once(tcp, 'listening')
  const { port } = tcp.address() as AddressInfo
  const { server } = await nameserver(t, question => reply(question, '', true), port)
  t.teardown(() => void tcp.close())
  const answer = await resolve(QUESTION, [server], never)
  t.true(answer.verdict === 'opened' && Buffer.from(answer.message).toString().endsWith(long))
})

test.serial('too many questions at a time: busy', async t => {
  const { server } = await nameserver(t, () => undefined)
  const gone = new AbortController()
  const asked = Array.from({ length: 300 }, () => resolve(QUESTION, [server], gone.signal))
  t.is((await asked[299]!).verdict, 'busy')
  gone.abort()
  const verdicts = await Promise.all(asked)
  t.is(verdicts.filter(({ verdict }) => verdict === 'busy').length, 300 - 256)
})
