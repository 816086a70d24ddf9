// The agent's ssh door as a process, from its bundle, with OpenSSH and with ssh2 before it.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import ssh2, { type Client, type ClientChannel } from 'ssh2'
import { sshKeyPair } from '../../lib/ssh/key-pair.ts'
import { bundleSshDoor } from '../../scripts/bundle-agent.ts'
import { startAgent, tunnelTo } from '../_support/agent.ts'
import { bytesOf, expected, hashOf, pour } from '../compliance/duplex.ts'

const key = sshKeyPair()
const folder = mkdtempSync(join(tmpdir(), 'kt-ssh-door-'))
writeFileSync(join(folder, 'ssh-door.cjs'), await bundleSshDoor())
writeFileSync(join(folder, 'authorized_keys'), `\nno key\n${key.public}\n`)
const env = { KT_SSH: join(folder, 'ssh-door.cjs'), KT_SSH_KEYS: join(folder, 'authorized_keys'), KT_SSH_LISTEN: '0' }
const agent = await startAgent(env)
const open: Server[] = []

test.after.always(async () => {
  for (const server of open) server.close()
  await agent.stop()
  rmSync(folder, { recursive: true })
})

const portOf = (log: string[]): number => Number(/^ssh at (\d+)/.exec(log.find(line => line.startsWith('ssh at'))!)![1])

async function client(how: Partial<ssh2.ConnectConfig> = {}, at = agent): Promise<Client> {
  const client = new ssh2.Client()
  const ready = new Promise<void>((resolve, reject) => {
    client.on('ready', resolve).on('error', reject)
  })
  client.connect({ host: '127.0.0.1', port: portOf(at.log), username: 'kt', privateKey: key.private, ...how })
  await ready
  return client.on('error', () => {})
}

async function listen(onSocket: (socket: import('node:net').Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  open.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function forward(from: Client, host: string, port: number): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    from.forwardOut('127.0.0.1', 1, host, port, (error, channel) => (error ? reject(error) : resolve(channel)))
  })
}

test('the host key that the agent tells is the one that is shown', async t => {
  const { tunnel, session } = await tunnelTo(agent)
  const { sshHostKey } = await tunnel.facts()
  let shown = ''
  const ssh = await client({
    hostVerifier: (bytes: Buffer) => {
      shown = `ssh-ed25519 ${bytes.toString('base64')}`
      return true
    }
  })
  t.is(shown, sshHostKey)
  ssh.end()
  await session.close()
})

test('nobody comes in without the key: another one, a password, none', async t => {
  const other = sshKeyPair().private
  for (const how of [{ privateKey: other }, { password: 'kt' }, {}]) {
    await t.throwsAsync(client({ privateKey: undefined as unknown as string, ...how }), {
      message: /authentication methods failed/
    })
  }
})

test('-L: bytes both ways, the end of one direction, and names', async t => {
  const port = await listen(socket => void hashOf(socket).then(hash => socket.end(hash)))
  const ssh = await client()
  const channels = await Promise.all(['127.0.0.1', 'localhost'].map(host => forward(ssh, host, port)))
  for (const [i, channel] of channels.entries()) {
    await pour(channel, 3_000_000, i)
    t.is(String(await bytesOf(channel)), expected(3_000_000, i))
  }
  ssh.end()
})

test('-L: a target that ends first can still be sent to', async t => {
  const received = Promise.withResolvers<string>()
  const port = await listen(socket => {
    socket.end('first')
    void bytesOf(socket).then(bytes => received.resolve(String(bytes)))
  })
  const ssh = await client()
  const channel = await forward(ssh, '127.0.0.1', port)
  t.is(String(await bytesOf(channel)), 'first')
  channel.end('last')
  t.is(await received.promise, 'last')
  ssh.end()
})

test('-L: a port where nobody listens, and a name that is none, are refused', async t => {
  const ssh = await client()
  await t.throwsAsync(forward(ssh, '127.0.0.1', 1), { message: /Channel open failure/ })
  await t.throwsAsync(forward(ssh, 'no-such-name.invalid', 1), { message: /Channel open failure/ })
  ssh.end()
})

test('-R: what connects there comes here, until it is taken back; a port that is taken is refused', async t => {
  const ssh = await client()
  ssh.on('tcp connection', (_, accept) => {
    const channel = accept()
    void bytesOf(channel).then(bytes => channel.end(`${bytes}!`))
  })
  const listening = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      ssh.forwardIn('localhost', port, (error, chosen) => (error ? reject(error) : resolve(chosen)))
    })
  const port = await listening(0)
  await t.throwsAsync(listening(portOf(agent.log)), { message: /Unable to bind/ })
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end('hello')
  t.is(String(await bytesOf(socket)), 'hello!')
  await new Promise<void>((resolve, reject) => {
    ssh.unforwardIn('localhost', port, error => (error ? reject(error) : resolve()))
  })
  const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNREFUSED')
  ssh.end()
})

test('what a client has opened goes with it', async t => {
  const gone = Promise.withResolvers<void>()
  const port = await listen(socket => socket.resume().on('close', () => gone.resolve()))
  const ssh = await client()
  const listened = await new Promise<number>(resolve => ssh.forwardIn('localhost', 0, (_, chosen) => resolve(chosen)))
  await forward(ssh, '127.0.0.1', port)
  ssh.end()
  await gone.promise
  const [error] = (await once(connect(listened, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNREFUSED')
})

test('no shell, no command, no files, unless a shell was asked for; files never', async t => {
  const closed = await client()
  const exec = (from: Client, command: string): Promise<ClientChannel> =>
    new Promise((resolve, reject) => {
      from.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)))
    })
  await t.throwsAsync(exec(closed, 'true'), { message: /Channel open failure/ })
  closed.end()

  const withShell = await startAgent({ ...env, KT_SSH_SHELL: '1' })
  const ssh = await client({}, withShell)
  const channel = await exec(ssh, 'cat; echo wrong >&2; exit 3')
  const code = once(channel, 'exit')
  const complaint = bytesOf(channel.stderr as unknown as ClientChannel)
  channel.end('through')
  t.is(String(await bytesOf(channel)), 'through')
  t.is(String(await complaint), 'wrong\n')
  t.deepEqual(await code, [3])
  await t.throwsAsync(
    new Promise((resolve, reject) => ssh.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))))
  )
  ssh.end()
  await withShell.stop()
})

test('bytes that are no ssh, and strangers who say nothing, harm nobody', async t => {
  const other = await startAgent(env)
  const sockets = Array.from({ length: 20 }, () => connect(portOf(other.log), '127.0.0.1').on('error', () => {}))
  for (const [i, socket] of sockets.entries()) if (i % 2 === 0) socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(10_000))
  const gone = sockets.map(socket => new Promise(resolve => socket.resume().on('close', resolve)))
  await Promise.race(gone) // there are too many of them
  for (const socket of sockets) socket.destroy()
  await Promise.all(gone)
  const ssh = await client({}, other)
  ssh.end()
  t.is(other.child.exitCode, null)
  await other.stop()
})
