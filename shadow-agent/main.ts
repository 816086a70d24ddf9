// The agent in the shadow pod: listens on loopback, where only the port-forward of its pod reaches it.
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { GATHER_BYTES } from '../lib/mux/gather.ts'
import { parseExpose } from '../lib/tunnel/expose.ts'
import { AGENT_PORT, SSH_PORT } from '../lib/tunnel/request.ts'
import { Door } from './door.ts'
import { Exposure } from './expose.ts'
import { KIN_SIGN } from './kin.ts'
import { runRouter } from './router/main.ts'
import type { SshDoor } from './ssh/ssh-door.ts'

declare const KT_VERSION: string | undefined

/** Without a first session the agent ends itself after this, seconds: somebody has started it and gone. */
const FIRST_SESSION_SECONDS = 120
/** After a lost carrier: the laptop may come back, and finds its connections as they were. */
const ORPHAN_SECONDS = 180
/** When the agent ends by itself: the connections of its session are reset first, ms. */
const RESETS_MS = 100
/** Bytes that may wait in a carrier: as many gathered writes as one turn brings, which leave as one. */
const CARRIER_BYTES = 12 * GATHER_BYTES
/** A carrier that goes silent below the mux is probed after this, ms. */
const KEEP_ALIVE_MS = 15_000

const VERSION = typeof KT_VERSION === 'undefined' ? 'checkout' : KT_VERSION

async function main(): Promise<void> {
  const publicKey = readKey(process.env.KT_PUBLIC_KEY ?? '')
  const orphanSeconds = Number(process.env.KT_ORPHAN_SECONDS ?? '') || ORPHAN_SECONDS
  const exposure = await expose(process.env.KT_EXPOSE)
  const ssh = await openSsh(process.env.KT_SSH)
  // An agent behind a Service must not end while that sends callers here: it serves them from the originals until its pod is removed.
  const mayLeave = exposure?.servesAlone !== true
  let orphaned = mayLeave ? setTimeout(leave, Math.min(FIRST_SESSION_SECONDS, orphanSeconds) * 1_000) : undefined
  const door = new Door({
    version: VERSION,
    sshHostKey: ssh?.hostKey ?? '',
    publicKey,
    orphanMs: orphanSeconds * 1_000,
    log,
    changed(session, goodbye = false) {
      if (goodbye && process.env.KT_ONCE !== undefined) leave() // nobody can delete an ephemeral container
      if (session !== undefined) {
        clearTimeout(orphaned)
        orphaned = undefined
      } else if (mayLeave) orphaned ??= setTimeout(leave, orphanSeconds * 1_000)
      if (exposure !== undefined) exposure.session = session
    }
  })
  const server = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    highWaterMark: CARRIER_BYTES
  })
  server.on('connection', socket => void door.enter(socket))
  server.on('error', fail)
  const [port, host = '127.0.0.1'] = (process.env.KT_LISTEN ?? String(AGENT_PORT)).split(':').reverse()
  server.listen(Number(port), host, () => log(`ready ${(server.address() as { port: number }).port}`))
  const readiness = exposure === undefined ? undefined : signReady(Number(process.env.KT_READY ?? ''))

  function leave(): void {
    log('the laptop has gone: the end')
    void door.close()
    setTimeout(() => process.exit(0), RESETS_MS)
  }
  async function goodbye(): Promise<void> {
    readiness?.close()
    await exposure?.drain()
    server.close()
    ssh?.close()
    await door.close()
    process.exit(0)
  }
  process.once('SIGTERM', () => void goodbye())
  process.once('SIGINT', () => void goodbye())
}

/** Listen for others in the cluster, as a text or the file with it says; undefined: there are none. */
async function expose(value: string | undefined): Promise<Exposure | undefined> {
  if (value === undefined) return undefined
  try {
    const config = parseExpose(existsSync(value) ? readFileSync(value, 'utf8') : value)
    const exposure = new Exposure(config)
    await exposure.listen()
    for (const { port, network, to } of config.ports) log(`listens at ${port}/${network} for the ${to}`)
    return exposure
  } catch (error) {
    return fail(error)
  }
}

/** Open the ssh door, whose program is a file of its own; undefined: none is wanted. */
async function openSsh(file: string | undefined): Promise<SshDoor | undefined> {
  if (file === undefined) return undefined
  try {
    const { openSshDoor } = (await import(file)) as typeof import('./ssh/ssh-door.ts')
    return await openSshDoor({
      authorizedKeys: readFileSync(process.env.KT_SSH_KEYS ?? '', 'utf8'),
      port: Number(process.env.KT_SSH_LISTEN ?? SSH_PORT),
      shell: process.env.KT_SSH_SHELL !== undefined,
      log
    })
  } catch (error) {
    return fail(error)
  }
}

/** Where the kubelet's probe connects: this is open when all other ports are; other agents see by the sign what we are. 0: nobody probes. */
function signReady(port: number): Server | undefined {
  if (port === 0) return undefined
  return createServer(socket => {
    socket.on('error', () => {})
    socket.end(KIN_SIGN)
  })
    .on('error', fail)
    .listen(port)
}

function fail(error: unknown): never {
  log(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

/** A PEM, its base64, or the path of a file with either. */
function readKey(value: string): string {
  const text = existsSync(value) ? readFileSync(value, 'utf8') : value
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString('latin1')
  if (pem.includes('-----BEGIN PUBLIC KEY-----')) return pem
  return fail('KT_PUBLIC_KEY holds no public key')
}

function log(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.stdout.on('error', () => {}) // whoever reads the log may go
if (process.env.KT_ROLE === 'router') {
  void runRouter({ version: VERSION, log, fail, signReady: () => signReady(Number(process.env.KT_READY ?? '')) })
} else void main()
