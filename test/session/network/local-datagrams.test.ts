// UDP ports of this computer: callers are kept apart, on both families, and a flow whose far end has gone begins anew.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { type LocalFlow, takeDatagrams } from '../../../lib/session/network/local-datagrams.ts'

interface Opened extends LocalFlow {
  heard: string[]
  closedByUs: boolean
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>(resolve => socket.close(() => resolve()))
  return port
}

/** A port whose flows are recorded, and answer with what they heard. */
async function ground(t: ExecutionContext): Promise<{ port: number; flows: Opened[]; close(): void }> {
  const flows: Opened[] = []
  const port = await freePort()
  const close = await takeDatagrams(port, flow => {
    const opened: Opened = { ...flow, heard: [], closedByUs: false }
    flows.push(opened)
    return {
      send(bytes) {
        opened.heard.push(String(bytes))
        flow.answer(Buffer.from(`heard ${bytes}`))
        return true
      },
      close() {
        opened.closedByUs = true
      }
    }
  })
  let open = true
  const end = (): void => {
    if (open) close()
    open = false
  }
  t.teardown(end)
  return { port, flows, close: end }
}

function caller(t: ExecutionContext, family: 4 | 6 = 4): Socket {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  t.teardown(() => socket.close())
  return socket
}

async function ask(socket: Socket, port: number, text: string, host = '127.0.0.1'): Promise<string> {
  socket.send(text, port, host)
  const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(3_000) })) as [Buffer]
  return String(bytes)
}

test('callers have flows of their own; a caller keeps his', async t => {
  const { port, flows } = await ground(t)
  const [one, two, six] = [caller(t), caller(t), caller(t, 6)]
  t.is(await ask(one, port, 'a'), 'heard a')
  t.is(await ask(two, port, 'b'), 'heard b')
  t.is(await ask(six, port, 'c', '::1'), 'heard c')
  t.is(await ask(one, port, 'd'), 'heard d')
  t.deepEqual(
    flows.map(({ heard }) => heard),
    [['a', 'd'], ['b'], ['c']]
  )
  t.is(flows[0]?.source, `127.0.0.1:${one.address().port}`)
  t.is(flows[2]?.source, `[::1]:${six.address().port}`)
})

test('when the far end is gone, the next datagram is a new flow, and nothing of the old one is delivered', async t => {
  const { port, flows } = await ground(t)
  const one = caller(t)
  await ask(one, port, 'a')
  flows[0]!.closed()
  flows[0]!.answer(Buffer.from('late'))
  t.true(flows[0]!.closedByUs)
  t.is(await ask(one, port, 'b'), 'heard b')
  t.is(flows.length, 2)
})

test('the end closes all flows and frees the port; a port that is taken is an error that says so', async t => {
  const { port, flows, close } = await ground(t)
  await ask(caller(t), port, 'a')
  await t.throwsAsync(
    takeDatagrams(port, () => undefined),
    { message: `UDP port ${port} of this computer is taken` }
  )
  close()
  t.true(flows[0]!.closedByUs)
  const again = await takeDatagrams(port, () => undefined)
  again()
})
