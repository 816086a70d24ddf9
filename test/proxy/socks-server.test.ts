// The proxy as SOCKS clients see it: the `socks` package, and bytes by hand where it knows less than the RFC.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { SocksClient } from 'socks'
import { decodeDatagram, encodeDatagram } from '../../lib/proxy/socks.ts'
import { bytesOf, expected, hashOf, pour } from '../compliance/duplex.ts'
import { CLOSED_PORT, listen, startProxy } from './_proxy.ts'

/** The argument of the event, as far as it is needed. */
interface Established {
  socket: Socket
  remoteHost?: { host: string; port: number }
}

const echo = (t: ExecutionContext, host?: string): Promise<number> => listen(t, socket => socket.pipe(socket), host)

async function through(proxy: number, type: 4 | 5, host: string, port: number): Promise<Socket> {
  const { socket } = await SocksClient.createConnection({
    command: 'connect',
    destination: { host, port },
    proxy: { host: '127.0.0.1', port: proxy, type }
  })
  return socket
}

test('SOCKS 5 and 4a: a name goes to the dialer as it is; bytes and half-close both ways', async t => {
  const { port: proxy, asked } = await startProxy(t)
  const port = await listen(t, socket => {
    void bytesOf(socket).then(question => socket.end(`you said ${String(question)}`))
  })
  for (const type of [5, 4] as const) {
    const socket = await through(proxy, type, 'web.demo', port)
    socket.end('hello')
    t.is(String(await bytesOf(socket)), 'you said hello')
  }
  t.deepEqual(asked, ['web.demo', 'web.demo'])
})

test('addresses of both families, and 20 MB each way at once', async t => {
  const { port: proxy, asked } = await startProxy(t)
  const socket = await through(proxy, 5, '10.96.0.7', await echo(t))
  const [hash] = await Promise.all([hashOf(socket), pour(socket, 20_000_000, 3)])
  t.is(hash, expected(20_000_000, 3))
  const six = await through(proxy, 5, '::1', await echo(t, '::1'))
  six.end('x')
  t.is(String(await bytesOf(six)), 'x')
  t.deepEqual(asked, ['10.96.0.7', '::1'])
})

/** Everything that a client gets which says these bytes and no more. */
async function said(proxy: number, ...messages: (string | Uint8Array)[]): Promise<string> {
  const socket = connect(proxy, '127.0.0.1')
  for (const message of messages) socket.write(message)
  socket.end()
  const bytes = await bytesOf(socket)
  return bytes.toString('hex')
}

const request = (command: number, host: string, port: number): Buffer =>
  Buffer.concat([Uint8Array.of(5, command, 0, 3, host.length), Buffer.from(host), Uint8Array.of(port >> 8, port & 255)])
const GREETING = Uint8Array.of(5, 1, 0)
const ACCEPTED = '0500'
const nowhere = (reply: string): string => `${ACCEPTED}05${reply}000100000000${'0000'}`

test('each way to fail has its own reply', async t => {
  const { port } = await startProxy(t)
  const replies = { refused: '05', unreachable: '04', 'not-found': '04', timeout: '06', denied: '02', closed: '01' }
  for (const [reason, reply] of Object.entries(replies))
    t.is(await said(port, GREETING, request(1, `${reason}.test`, 80)), nowhere(reply), reason)
  t.is(await said(port, GREETING, request(1, 'web.demo', CLOSED_PORT)), nowhere('05'), 'a real refusal')
  t.is(await said(port, GREETING, request(2, 'web.demo', 80)), nowhere('07'), 'BIND')
  t.is(
    await said(port, GREETING, Uint8Array.of(5, 1, 0, 9, 0, 0)),
    nowhere('08'),
    'a kind of address that is not known'
  )
  t.is(await said(port, Uint8Array.of(5, 1, 2)), '05ff', 'a client that insists on a password')
  const four = Buffer.concat([Uint8Array.of(4, 1, 0, CLOSED_PORT, 10, 96, 0, 7), Buffer.from('\0')])
  t.is(await said(port, four), '005b000000000000')
})

test('a conversation in single bytes, with the first bytes of the connection behind it', async t => {
  const { port } = await startProxy(t)
  const target = await echo(t)
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const all = Buffer.concat([GREETING, request(1, 'web.demo', target), Buffer.from('first')])
  for (const byte of all) {
    socket.write(Uint8Array.of(byte))
    await new Promise(resolve => setImmediate(resolve))
  }
  socket.end()
  t.is((await bytesOf(socket)).toString('latin1').slice(-5), 'first')
})

test('UDP: datagrams to names and addresses, over one association, which ends with its connection', async t => {
  const { port: proxy, asked } = await startProxy(t)
  const target = createSocket('udp4')
  target.on('message', (bytes, from) => target.send(`got ${String(bytes)}`, from.port, from.address))
  await new Promise<void>(resolve => target.bind(0, '127.0.0.1', resolve))
  t.teardown(() => target.close())
  const socks = new SocksClient({
    command: 'associate',
    destination: { host: '0.0.0.0', port: 0 },
    proxy: { host: '127.0.0.1', port: proxy, type: 5 }
  })
  const established = once(socks, 'established')
  socks.connect()
  const [{ socket: control, remoteHost }] = (await established) as [Established]
  const client = createSocket('udp4')
  t.teardown(() => client.close())
  const ask = async (host: string, text: string): Promise<string> => {
    client.send(encodeDatagram(host, target.address().port, Buffer.from(text)), remoteHost!.port, '127.0.0.1')
    const [bytes] = (await once(client, 'message')) as [Buffer]
    const answer = decodeDatagram(bytes)
    return `${answer?.host} ${String(answer?.data)}`
  }
  t.is(await ask('web.demo', 'one'), 'web.demo got one')
  t.is(await ask('web.demo', 'two'), 'web.demo got two')
  t.is(await ask('10.96.0.7', 'three'), '10.96.0.7 got three')
  t.deepEqual(asked, ['web.demo', '10.96.0.7'], 'one flow for each target')
  // A fragment and another client of this computer are not heard.
  client.send(encodeDatagram('web.demo', 9, Buffer.from('x')).with(2, 1), remoteHost!.port, '127.0.0.1')
  const other = createSocket('udp4')
  t.teardown(() => other.close())
  other.send(encodeDatagram('other.demo', 9, Buffer.from('x')), remoteHost!.port, '127.0.0.1')
  t.is(await ask('web.demo', 'four'), 'web.demo got four')
  t.deepEqual(asked, ['web.demo', '10.96.0.7'])
  control.destroy()
})

test('a client that goes while its target is dialled leaves nothing, and rubbish is disconnected', async t => {
  const { port } = await startProxy(t)
  t.is(await said(port, Uint8Array.of(5, 1, 0, 4, 1, 0)), ACCEPTED)
  t.is(await said(port, Uint8Array.of(4, 1, 0, 80, 0, 0, 0, 1), Buffer.from('\0\x01bad\0')), '')
})
