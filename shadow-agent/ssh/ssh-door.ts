// The ssh door, a file beside the agent's own: who comes by a port-forward and proves the laptop's key opens connections from here (-L, -D) or
// takes those that come here (-R). A shell only where it was asked for; files never.
import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import ssh2, { type AuthContext, type Connection, type ParsedKey } from 'ssh2'
import { sshKeyPair } from '../../lib/ssh/key-pair.ts'
import { forwardHere, forwardThere } from './forwards.ts'
import { runCommands } from './run.ts'

/** Connections that have proved nothing yet, and how long each may take for it, ms. */
const MAX_STRANGERS = 16
const LOGIN_MS = 15_000
/** Connections at a time: each may have a window of 2 MiB a channel on its way. */
const MAX_CLIENTS = 32
/** Keys that one connection may offer. */
const MAX_OFFERS = 20
/** One that is silent below ssh is probed after this, ms. */
const KEEP_ALIVE_MS = 15_000
/** What OpenSSH and Node both do in hardware; ChaCha20-Poly1305, which OpenSSH would choose, is JavaScript here. */
const CIPHERS = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr'] as const

export interface SshDoorOptions {
  /** Public keys as OpenSSH writes them, one a line. */
  authorizedKeys: string
  /** On 127.0.0.1; 0: any that is free. */
  port: number
  /** Commands may be run. */
  shell: boolean
  log(line: string): void
}

interface Guest {
  socket: Socket
  /** Until the key is proved. */
  login: NodeJS.Timeout | undefined
}

export interface SshDoor {
  port: number
  /** As known_hosts has it: `ssh-ed25519 AAAA…`. Made anew each time. */
  hostKey: string
  /** Nobody comes in any more, and who is in goes. */
  close(): void
}

/** Listen. Rejects when the port cannot be had. */
export async function openSshDoor(options: SshDoorOptions): Promise<SshDoor> {
  const host = sshKeyPair()
  const keys = keysOf(options.authorizedKeys)
  const server = new ssh2.Server({ hostKeys: [host.private], algorithms: { cipher: [...CIPHERS] } })
  /** By the port they come from. */
  const guests = new Map<number, Guest>()
  const listener = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, socket => {
    const port = socket.remotePort ?? 0
    socket.on('error', () => {})
    const strangers = [...guests.values()].filter(({ login }) => login !== undefined)
    if (strangers.length >= MAX_STRANGERS || guests.size >= MAX_CLIENTS) return socket.destroy()
    socket.setMaxListeners(0) // each channel waits for it
    const login = setTimeout(() => socket.destroy(), LOGIN_MS)
    guests.set(port, { socket, login })
    socket.once('close', () => {
      clearTimeout(login)
      guests.delete(port)
    })
    return server.injectSocket(socket)
  })
  server.on('connection', (client, { port }) => {
    client.on('error', () => {}) // 'close' follows
    const guest = guests.get(port)
    if (guest === undefined) return client.end()
    client.on('authentication', authenticator(client, keys))
    return client.on('ready', () => {
      clearTimeout(guest.login)
      guest.login = undefined
      forwardThere(client, guest.socket)
      forwardHere(client, guest.socket)
      if (options.shell) runCommands(client)
    })
  })
  listener.listen(options.port, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as { port: number }
  options.log(`ssh at ${port}${options.shell ? ', with a shell' : ''}`)
  const close = (): void => {
    listener.close()
    for (const { socket } of guests.values()) socket.destroy()
  }
  return { port, hostKey: host.public, close }
}

/** The keys of the lines that hold one. */
function keysOf(text: string): ParsedKey[] {
  return text
    .split('\n')
    .map(line => ssh2.utils.parseKey(line))
    .flatMap(key => (key instanceof Error ? [] : key))
}

/** One of the keys opens the door, whoever it says it is; nothing else does. */
function authenticator(client: Connection, keys: readonly ParsedKey[]): (context: AuthContext) => void {
  let offers = 0
  return context => {
    if (context.method !== 'publickey') return context.reject(['publickey'])
    offers += 1
    const { key: offered, signature, blob, hashAlgo } = context
    const known = keys.find(key => same(key.getPublicSSH(), offered.data))
    // Without a signature it only asks whether the key would do.
    const proved = signature === undefined || (blob !== undefined && known?.verify(blob, signature, hashAlgo) === true)
    if (known !== undefined && proved) return context.accept()
    if (offers >= MAX_OFFERS) return void client.end()
    return context.reject(['publickey'])
  }
}

function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
