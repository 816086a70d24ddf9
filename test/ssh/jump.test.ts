// A jump host that is ssh2's server, and what kt says of one that does not do as it should. OpenSSH's own is in test/e2e/ssh.
import { execFileSync } from 'node:child_process'
import dns from 'node:dns/promises'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import ssh2, { type Connection, type ServerChannel } from 'ssh2'
import { ChannelStream } from '../../lib/ssh/channel-stream.ts'
import { JumpHost } from '../../lib/ssh/jump.ts'
import { sshKeyPair } from '../../lib/ssh/key-pair.ts'
import { join as joined } from '../../lib/tunnel/join.ts'
import { bytesOf } from '../compliance/duplex.ts'
import { withOpenSsh } from './_openssh.ts'

const home = mkdtempSync(join(tmpdir(), 'kt-jump-'))
delete process.env.SSH_AUTH_SOCK
delete process.env.SUDO_UID
mkdirSync(join(home, '.ssh'))
const user = sshKeyPair()
writeFileSync(join(home, '.ssh/id_ed25519'), user.private, { mode: 0o600 })
const host = sshKeyPair()
const hostEcdsa = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 })
const NEVER = new AbortController().signal

const open: Server[] = []
const sockets = new Set<Socket>()
/** What the jump host does with the next request. */
let mood: 'forwards' | 'prohibits' | 'is silent' = 'forwards'
let logins = 0

function serve(client: Connection, below: Socket): void {
  client.on('error', () => {})
  client.on('authentication', context => {
    const own = ssh2.utils.parseKey(user.public)
    if (context.method !== 'publickey' || own instanceof Error) return context.reject(['publickey'])
    return context.key.data.equals(own.getPublicSSH()) ? context.accept() : context.reject(['publickey'])
  })
  client.on('ready', () => {
    logins += 1
    if (mood === 'prohibits') return // nobody listens: ssh2 says "administratively prohibited"
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      if (mood === 'is silent') return
      const socket = connect({ host: destIP, port: destPort, allowHalfOpen: true })
      socket.on('connect', () => joined(socket, new ChannelStream(accept() as ServerChannel, below)))
      socket.on('error', () => reject())
    })
  })
}

async function listen(server: Server, address = '127.0.0.1', port = 0): Promise<number> {
  server.listen(port, address)
  open.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const sshd = new ssh2.Server({ hostKeys: [host.private, hostEcdsa.private] }, (client, { port }) => {
  serve(client, [...sockets].find(({ remotePort }) => remotePort === port)!)
})
function accept(socket: Socket): void {
  sockets.add(socket.on('error', () => {}))
  socket.once('close', () => sockets.delete(socket))
  sshd.injectSocket(socket)
}
const sshPort = await listen(createServer(accept))
const echoPort = await listen(
  createServer(
    { allowHalfOpen: true },
    socket =>
      void bytesOf(socket).then(
        bytes => socket.end(bytes),
        () => {}
      )
  )
)

test.after.always(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of open) server.close()
  rmSync(home, { recursive: true })
})

const know = (key: string): void =>
  writeFileSync(join(home, '.ssh/known_hosts'), key === '' ? '' : `[127.0.0.1]:${sshPort} ${key}\n`)
const jump = (via = `ssh://me@127.0.0.1:${sshPort}`): Promise<JumpHost> => JumpHost.from(via, home)

async function echo(by: JumpHost, text: string): Promise<string> {
  const stream = await by.open('localhost', echoPort, NEVER)
  stream.end(text)
  return String(await bytesOf(stream))
}

test.beforeEach(() => {
  mood = 'forwards'
  know(host.public.trim())
})

test.serial('connections share one login; a lost one is made again', async t => {
  const by = await jump()
  const before = logins
  t.deepEqual(await Promise.all(['a', 'b', 'c'].map(text => echo(by, text))), ['a', 'b', 'c'])
  t.is(logins - before, 1)
  const held = await by.open('localhost', echoPort, NEVER)
  for (const socket of sockets) socket.resetAndDestroy()
  const [error] = (await once(held, 'error')) as [Error]
  t.is(error.message, 'the ssh connection was lost')
  t.is(await echo(by, 'again'), 'again')
  t.is(logins - before, 2)
  by.close()
})

test.serial(
  'one that does not answer any more is left for another one; what goes by it goes on, and then it ends',
  async t => {
    const by = await jump()
    const held = await by.open('localhost', echoPort, NEVER)
    const [old] = sockets
    mood = 'is silent'
    const late = by.open('localhost', echoPort, NEVER)
    await new Promise(resolve => sshd.once('connection', resolve))
    mood = 'forwards'
    const stream = await late
    t.is(sockets.size, 2)
    stream.end('new')
    t.is(String(await bytesOf(stream)), 'new')
    held.end('old')
    t.is(String(await bytesOf(held)), 'old')
    await once(old!, 'close')
    by.close()
  }
)

test.serial('of several host keys the one that is known is asked for', async t => {
  know(hostEcdsa.public.trim())
  const by = await jump()
  t.is(await echo(by, 'x'), 'x')
  by.close()
})

test.serial('a host key that is unknown, or another one, is said with its fingerprint and what to do', async t => {
  const refused = { code: 'KT_JUMP_HOST' }
  know('')
  const unknown = await t.throwsAsync(echo(await jump(), ''), refused)
  t.regex(
    unknown!.message,
    /^the jump host ssh:\/\/me@127\.0\.0\.1:\d+ is not known: its host key is ssh-ed25519 SHA256:\S{43}$/
  )
  t.is((unknown as unknown as { hint: string }).hint, `ssh -p ${sshPort} me@127.0.0.1 asks whether that is right`)
  know(user.public.trim())
  await t.throwsAsync(echo(await jump(), ''), { ...refused, message: /shows another host key than known_hosts has/ })
  writeFileSync(
    join(home, '.ssh/known_hosts'),
    `[127.0.0.1]:${sshPort} ${host.public.trim()}\n@revoked * ${host.public.trim()}\n`
  )
  await t.throwsAsync(echo(await jump(), ''), refused)
})

withOpenSsh('keys that are refused, none, and one with a passphrase', async t => {
  const file = join(home, '.ssh/other')
  const withKey = (path: string): void =>
    writeFileSync(join(home, '.ssh/config'), `Host 127.0.0.1\n  IdentityFile ${path}\n  IdentitiesOnly yes\n`)
  t.teardown(() => rmSync(join(home, '.ssh/config')))
  withKey(file)
  const message = /^the jump host \S+ does not let me in with the keys of this computer: /
  await t.throwsAsync(echo(await jump(), ''), { code: 'KT_JUMP_HOST', message: /there is none that could be offered$/ })
  writeFileSync(file, sshKeyPair().private)
  await t.throwsAsync(echo(await jump(), ''), { code: 'KT_JUMP_HOST', message })
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'passphrase', '-f', `${file}-locked`])
  withKey(`${file}-locked`)
  const locked = await t.throwsAsync(echo(await jump(), ''), { code: 'KT_JUMP_HOST', message })
  t.is((locked as unknown as { hint: string }).hint, `ssh-add ${file}-locked: that key has a passphrase`)
})

test.serial('forwarding that is forbidden, and a port where nobody listens', async t => {
  const by = await jump()
  await t.throwsAsync(by.open('127.0.0.1', 1, NEVER), {
    code: 'KT_JUMP_HOST',
    message: /does not reach 127\.0\.0\.1:1/
  })
  by.close()
  mood = 'prohibits'
  const strict = await jump()
  await t.throwsAsync(echo(strict, ''), { code: 'KT_JUMP_HOST', message: /may not open connections to localhost:/ })
  strict.close()
})

test.serial('nobody there, or nobody who speaks ssh', async t => {
  await t.throwsAsync(echo(await jump('ssh://me@127.0.0.1:1'), ''), {
    code: 'KT_JUMP_HOST',
    message: /cannot reach .*ECONNREFUSED/
  })
  const port = await listen(
    createServer(socket => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  )
  await t.throwsAsync(echo(await jump(`ssh://me@127.0.0.1:${port}`), ''), { code: 'KT_JUMP_HOST' })
})

test.serial('it is looked for where it was last, and then where its name leads', async t => {
  const { lookup } = dns
  const leads = (found: unknown): void => {
    Object.assign(dns, { lookup: found })
    syncBuiltinESMExports()
  }
  t.teardown(() => leads(lookup))
  let address = '127.0.0.2'
  leads(async () => [{ address, family: 4 }])
  const first = createServer(accept)
  const port = await listen(first, address)
  writeFileSync(join(home, '.ssh/known_hosts'), `[jump.test]:${port} ${host.public.trim()}\n`)
  const lose = (): void => [...sockets].forEach(socket => void socket.resetAndDestroy())
  const by = await jump(`ssh://me@jump.test:${port}`)
  t.deepEqual(by.addresses, [])
  t.is(await echo(by, 'there'), 'there')
  t.deepEqual(by.addresses, ['127.0.0.2'])
  address = '127.0.0.3' // nobody listens at it
  lose()
  t.is(await echo(by, 'still'), 'still')
  await listen(createServer(accept), address, port)
  first.close()
  lose()
  t.is(await echo(by, 'moved'), 'moved')
  t.deepEqual(by.addresses, ['127.0.0.3'])
  by.close()
})

test.serial('closed while it is waited for: nothing is kept open', async t => {
  const silent = createServer(socket => socket.on('error', () => {}))
  const port = await listen(silent)
  const by = await jump(`ssh://me@127.0.0.1:${port}`)
  const opening = by.open('localhost', echoPort, NEVER)
  const [socket] = (await once(silent, 'connection')) as [Socket]
  const gone = once(socket.resume(), 'close', { signal: AbortSignal.timeout(2_000) })
  by.close()
  await t.throwsAsync(opening)
  await t.notThrowsAsync(gone)
})

test.serial('a caller who goes does not wait', async t => {
  const by = await jump()
  mood = 'is silent'
  await t.throwsAsync(by.open('localhost', echoPort, AbortSignal.timeout(100)), { name: 'TimeoutError' })
  by.close()
})
