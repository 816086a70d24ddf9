// shadow-agent/kin.ts: who of those that a name server names is a pod of kt.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { KIN_SIGN, Kin } from '../../shadow-agent/kin.ts'

/** Servers at one port of several loopback addresses, as pods of one service have it. What each says; undefined: nothing. */
async function pods(t: ExecutionContext, said: Record<string, string | undefined>): Promise<number> {
  let port = 0
  for (const [host, text] of Object.entries(said)) {
    const server: Server = createServer(socket => {
      socket.on('error', () => {})
      if (text !== undefined) socket.end(text)
    })
    server.listen(port, host)
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    t.teardown(() => server.close())
  }
  return port
}

test('an agent is told by its sign; who refuses, says something else or nothing is no agent', async t => {
  const port = await pods(t, { '127.0.0.2': KIN_SIGN, '127.0.0.3': 'SSH-2.0-x\r\n', '127.0.0.4': undefined })
  const kin = new Kin(port)
  const all = ['127.0.0.5', '127.0.0.4', '127.0.0.2', '127.0.0.3']
  const others = ['127.0.0.5', '127.0.0.4', '127.0.0.3']
  t.deepEqual(await kin.others(all), others)
  const began = performance.now()
  t.deepEqual(await kin.others(all), others, 'known by then')
  t.true(performance.now() - began < 100)
})

test('who is not named any more is forgotten; port 0 asks nobody', async t => {
  const port = await pods(t, { '127.0.0.2': KIN_SIGN })
  const kin = new Kin(port)
  t.deepEqual(await kin.others(['127.0.0.2']), [])
  t.deepEqual(await kin.others([]), [])
  t.deepEqual(await kin.others(['127.0.0.2']), [])
  t.deepEqual(await new Kin(0).others(['127.0.0.2']), ['127.0.0.2'])
})
