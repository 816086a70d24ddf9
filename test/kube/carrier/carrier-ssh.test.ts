// A carrier inside ssh: the agent's own door behind a WebSocket that remembers what it has carried.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import test from 'ava'
import { SshCarriers } from '../../../lib/kube/carrier/carrier-ssh.ts'
import { sshKeyPair } from '../../../lib/ssh/key-pair.ts'
import { openSshDoor, type SshDoor } from '../../../shadow-agent/ssh/ssh-door.ts'
import { bytesOf, duplexTests, type Pair } from '../../compliance/duplex.ts'
import { clientFrames, message, PREAMBLE, serve } from '../_support/upgrade-server.ts'

const key = sshKeyPair()
const never = new AbortController().signal
/** What is remembered of a carrier, bytes. */
const MEMORY_BYTES = 200_000
/** Windows of ssh both ways, what streams hold, and what the kernel's buffers take. */
const UNREAD_BYTES = 24 * 1024 * 1024

interface Way {
  carriers: SshCarriers
  /** Of the agent. */
  port: number
  sockets: Socket[]
  carried(): Buffer
  /** From now on another door answers: the agent was started again. */
  restart(): Promise<void>
  others: string[]
  /** The next one that the agent takes. */
  taken(): Promise<Socket>
  close(): void
}

async function way(): Promise<Way> {
  const doors: SshDoor[] = []
  const door = async (): Promise<number> => {
    const opened = await openSshDoor({ authorizedKeys: key.public, port: 0, shell: false, log: () => {} })
    doors.push(opened)
    return opened.port
  }
  const ends = new Set<Socket>()
  const agent = createServer({ allowHalfOpen: true }, socket => void ends.add(socket.on('error', () => {}))).listen(
    0,
    '127.0.0.1'
  )
  await once(agent, 'listening')
  let sshPort = await door()
  const sockets: Socket[] = []
  let carried = Buffer.alloc(0)
  const remember = (bytes: Buffer): void => {
    if (carried.length < MEMORY_BYTES) carried = Buffer.concat([carried, bytes])
  }
  const server = await serve(socket => {
    sockets.push(socket)
    socket.write(PREAMBLE)
    const there = connect(sshPort, '127.0.0.1')
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      const found = clientFrames(Buffer.concat([rest, chunk]))
      rest = found.rest
      for (const { opcode, payload } of found.frames) {
        if (opcode !== 2) continue
        remember(payload.subarray(1))
        if (!there.write(payload.subarray(1))) socket.pause()
      }
    })
    there.on('drain', () => socket.resume())
    there.on('data', (chunk: Buffer) => {
      remember(chunk)
      if (!socket.write(message(0, chunk))) there.pause()
    })
    socket.on('drain', () => there.resume())
    there.on('close', () => socket.destroy()).on('error', () => {})
    socket.on('close', () => there.destroy())
  })
  const others: string[] = []
  const onOtherKey = async (pod: string): Promise<void> => void others.push(pod)
  return {
    carriers: new SshCarriers({ cluster: server.cluster, privateKey: key.private, onOtherKey }),
    port: (agent.address() as AddressInfo).port,
    sockets,
    carried: () => carried,
    restart: async () => {
      sshPort = await door()
    },
    others,
    taken: async () => ((await once(agent, 'connection')) as [Socket])[0],
    close: () => {
      for (const opened of doors) opened.close()
      server.close()
      agent.close()
      for (const end of ends) end.destroy()
    }
  }
}

const open = ({ carriers, port }: Way, signal = never): ReturnType<SshCarriers['open']> =>
  carriers.open({ pod: 'shadow', sshPort: 7022, agentPort: port, signal })

async function pair(): Promise<Pair> {
  const on = await way()
  const [a, b] = await Promise.all([open(on), on.taken()])
  const close = async (): Promise<void> => {
    for (const end of [a, b]) end.on('error', () => {}) // one that has not ended is told
    on.close()
  }
  return { a, b, close }
}

duplexTests(test, 'ssh carrier', pair, { halfClose: true, reset: false, unreadBytes: UNREAD_BYTES })

test('who carries it cannot read it', async t => {
  const on = await way()
  t.teardown(() => on.close())
  const [carrier, there] = await Promise.all([open(on), on.taken()])
  carrier.end('what nobody else may know')
  t.is(String(await bytesOf(there)), 'what nobody else may know')
  t.is(
    on
      .carried()
      .toString('latin1')
      .match(/SSH-2\.0/g)?.length,
    2
  )
  t.notRegex(on.carried().toString('latin1'), /nobody else/)
  carrier.destroy()
})

test('a port-forward that breaks is an error of the carrier, and no end', async t => {
  const on = await way()
  t.teardown(() => on.close())
  const [carrier] = await Promise.all([open(on), on.taken()])
  carrier.resume().on('end', () => t.fail())
  on.sockets[0]!.destroy()
  const [error] = (await once(carrier, 'error')) as [Error]
  t.regex(error.message, /lost|broke/)
})

test('the pod has the host key that it has shown first; another one is told, and not spoken to', async t => {
  const on = await way()
  t.teardown(() => on.close())
  for (let i = 0; i < 2; i++) {
    const [carrier] = await Promise.all([open(on), on.taken()])
    carrier.destroy()
  }
  await on.restart()
  await t.throwsAsync(open(on), {
    code: 'KT_AGENT',
    message: 'what answers as pod shadow has not the ssh host key that it had'
  })
  t.deepEqual(on.others, ['shadow'])
})

test('an agent that is not there, and a caller who goes', async t => {
  const on = await way()
  t.teardown(() => on.close())
  await t.throwsAsync(open({ ...on, port: 1 }), { code: 'KT_CARRIER_LOST', message: /^no ssh with pod shadow: / })
  await t.throwsAsync(open(on, AbortSignal.timeout(1)))
})
