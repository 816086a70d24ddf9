// The line to an agent that is a process of its own, over a cable that is cut, that swallows, and that grows old.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { KtError } from '../../../lib/errors.ts'
import type { Cluster } from '../../../lib/kube/api/client.ts'
import type { MuxResetError } from '../../../lib/mux/stream.ts'
import { AgentLink, type LinkOptions } from '../../../lib/session/link/link.ts'
import { type AgentProcess, startAgent } from '../../_support/agent.ts'
import { type Cable, cableTo } from '../../_support/cable.ts'
import { bytesOf, expected, hashOf, pour } from '../../compliance/duplex.ts'

interface Line {
  agent: AgentProcess
  cable: Cable
  link: AgentLink
  states: string[]
  /** How often other connections were said to be in doubt. */
  doubts(): number
  close(): Promise<void>
}

/** No cluster: a carrier is a TCP connection to whatever `ways` holds at the moment. */
async function line(
  options: Partial<LinkOptions> = {},
  env: Record<string, string> = {},
  laid: (cable: Cable) => void = () => {}
): Promise<Line> {
  const agent = await startAgent(env)
  const cable = await cableTo(agent.port)
  laid(cable)
  const states: string[] = []
  let doubts = 0
  const link = new AgentLink({
    cluster: {} as unknown as Cluster, // `open` takes its place
    privateKey: agent.privateKey,
    keeper: { pod: async () => 'pod', port: 0, lost: async () => {} },
    onState: state => states.push(state),
    onWayChanged: () => doubts++,
    open: async (_pod, signal) => await dialled(cable.port, signal),
    ...options
  })
  await link.connect()
  return {
    agent,
    cable,
    link,
    states,
    doubts: () => doubts,
    async close() {
      await link.close()
      cable.close()
      await agent.stop()
    }
  }
}

async function dialled(port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect', { signal })
  return socket
}

const servers: Server[] = []
async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
test.after.always(() => {
  for (const server of servers) server.close()
})

const events = ({ link }: Line): string[] => link.record.history.map(({ event }) => event)

async function until(what: () => boolean, limitMs: number): Promise<number> {
  const began = performance.now()
  while (!what() && performance.now() - began < limitMs) await sleep(10)
  return performance.now() - began
}

test.serial('a carrier cut 30 times during a transfer both ways: every byte, and the connection survives', async t => {
  const l = await line()
  const port = await listen(socket => socket.pipe(socket))
  const stream = await l.link.tunnel!.dial('127.0.0.1', port)
  const quiet = await l.link.tunnel!.dial('127.0.0.1', port)
  const size = 60_000_000
  let done = false
  const hash = hashOf(stream)
  const poured = pour(stream, size, 7)
  const cutter = (async () => {
    let cuts = 0
    while (!done && cuts < 30) {
      if (l.link.session?.attached === true) {
        l.cable.cut()
        cuts += 1
      }
      await sleep(15)
    }
    return cuts
  })()
  await poured
  const heard = await hash
  done = true
  t.is(heard, expected(size, 7))
  t.true((await cutter) >= 5)
  await until(() => l.link.record.state === 'connected', 5_000)
  quiet.end('still here')
  t.is(String(await bytesOf(quiet)), 'still here')
  t.false(events(l).includes('restarted'))
  await l.close()
})

test.serial('a black hole is noticed within 15 s on both sides, and the connection goes on afterwards', async t => {
  const l = await line()
  const port = await listen(socket => socket.pipe(socket))
  const stream = await l.link.tunnel!.dial('127.0.0.1', port)
  l.cable.swallow()
  stream.write('into the hole ')
  const noticed = await until(() => l.link.record.state === 'reconnecting', 16_000)
  t.true(noticed < 15_000, `${noticed}`)
  await until(() => l.agent.log.some(text => text.includes('lost its carrier')), 16_000 - noticed)
  t.true(l.agent.log.some(text => text.includes('lost its carrier: no answer')))
  l.cable.open()
  const back = await until(() => l.link.record.state === 'connected', 6_000)
  t.true(back < 5_000, `${back}`)
  stream.end('and out')
  t.is(String(await bytesOf(stream)), 'into the hole and out')
  await l.close()
})

test.serial(
  'a kubelet that does not know the pod yet is not believed: the API server is asked, and connections go on',
  async t => {
    let [refusals, lost] = [0, 0]
    let port = 0
    const keeper = {
      ...{ pod: async () => 'pod', port: 0, isUsable: async () => true },
      lost: async () => {
        lost += 1
      }
    }
    const l = await line(
      {
        keeper,
        open: async (_pod, signal) => {
          if (refusals-- > 0) throw new KtError('KT_NOT_FOUND', 'pod does not exist')
          return await dialled(port, signal)
        }
      },
      {},
      cable => {
        port = cable.port
      }
    )
    const stream = await l.link.tunnel!.dial('127.0.0.1', await listen(socket => socket.pipe(socket)))
    refusals = 2
    l.cable.cut()
    await until(() => events(l).includes('resumed'), 10_000)
    stream.end('still here')
    t.is(String(await bytesOf(stream)), 'still here')
    t.is(lost, 0)
    await l.close()
  }
)

test.serial('a carrier that stays silent although the way is open again is replaced before it is given up', async t => {
  const l = await line()
  const port = await listen(socket => socket.pipe(socket))
  const stream = await l.link.tunnel!.dial('127.0.0.1', port)
  l.cable.swallow()
  stream.write('into the hole ')
  await sleep(5_500) // a PING of each side is lost
  l.cable.open() // for new connections: the one that is there may wait for its next retransmission for long
  const back = await until(() => events(l).includes('renewed'), 9_000)
  t.true(back < 5_000, `${back}`)
  stream.end('and out')
  t.is(String(await bytesOf(stream)), 'into the hole and out')
  t.deepEqual(l.states, [])
  t.is(l.doubts(), 1)
  await l.close()
})

test.serial('a new carrier takes over before the last one is too old, in the middle of a transfer', async t => {
  const l = await line({ carrierMaxAgeMs: 300 })
  const port = await listen(socket => socket.pipe(socket))
  const stream = await l.link.tunnel!.dial('127.0.0.1', port)
  const hash = hashOf(stream)
  const began = performance.now()
  let sent = 0
  while (performance.now() - began < 1_500) {
    if (!stream.write(Buffer.alloc(50_000, sent % 251))) await once(stream, 'drain')
    sent += 1
    await sleep(1)
  }
  stream.end()
  const wanted = await import('node:crypto').then(({ createHash }) => {
    const whole = createHash('sha256')
    for (let i = 0; i < sent; i++) whole.update(Buffer.alloc(50_000, i % 251))
    return whole.digest('hex')
  })
  t.is(await hash, wanted)
  t.true(events(l).filter(event => event === 'renewed').length >= 3, events(l).join(' '))
  t.deepEqual([l.states, l.doubts()], [[], 0])
  await l.close()
})

test.serial('another agent: what was open is reset, what is new goes there', async t => {
  const l = await line()
  const port = await listen(socket => socket.pipe(socket))
  const stream = await l.link.tunnel!.dial('127.0.0.1', port)
  const reset = once(stream, 'error') as Promise<[MuxResetError]>
  const { agent } = l
  agent.child.kill('SIGKILL')
  // Its successor: the same key, another process.
  await until(() => l.link.record.state === 'reconnecting', 2_000)
  t.is(l.link.record.state, 'reconnecting')
  const next = await startAgent({ KT_PUBLIC_KEY: agent.publicKey, KT_LISTEN: `127.0.0.1:${agent.port}` })
  t.is((await reset)[0].resetCode, 'closed')
  await until(() => l.link.record.state === 'connected', 5_000)
  const again = await l.link.tunnel!.dial('127.0.0.1', port)
  again.end('new')
  t.is(String(await bytesOf(again)), 'new')
  t.true(events(l).includes('restarted'))
  t.is(l.link.record.detail, 'to pod pod, whose agent has been started again: what was open has been reset')
  t.deepEqual([l.states, l.doubts()], [['reconnecting', 'connected'], 2])
  await l.close()
  await next.stop()
})

test.serial('an agent that has waited long enough resets what was open, and ends', async t => {
  const l = await line({}, { KT_ORPHAN_SECONDS: '1' })
  const gone = Promise.withResolvers<string>()
  const port = await listen(socket => {
    socket.resume()
    socket.on('error', (error: NodeJS.ErrnoException) => gone.resolve(error.code ?? ''))
    socket.on('end', () => gone.resolve('FIN'))
  })
  await l.link.tunnel!.dial('127.0.0.1', port)
  l.cable.close()
  t.is(await gone.promise, 'ECONNRESET')
  await once(l.agent.child, 'exit')
  t.is(l.link.record.state, 'reconnecting')
  t.truthy(l.link.record.detail)
  await l.close()
})

test.serial('streams that are opened while there is no carrier wait for the next one', async t => {
  const l = await line()
  const port = await listen(socket => socket.pipe(socket))
  l.cable.swallow()
  l.cable.cut()
  await until(() => l.link.record.state === 'reconnecting', 2_000)
  const stream = l.link.tunnel!.dial('127.0.0.1', port)
  l.cable.open()
  const open = await stream
  open.end('patience')
  t.is(String(await bytesOf(open)), 'patience')
  await l.close()
})
