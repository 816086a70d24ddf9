// The agent in the shadow pod: listens on loopback, where only the port-forward of its pod reaches it.
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { AGENT_PORT } from '../lib/tunnel/request.ts'
import { Door } from './door.ts'

declare const KT_VERSION: string | undefined

/** Without a first session the agent ends itself after this, seconds: somebody has started it and gone. */
const FIRST_SESSION_SECONDS = 120
/** After a lost session: the laptop may come back. */
const ORPHAN_SECONDS = 180
/** Bytes that may wait in a carrier: two gathered writes. */
const CARRIER_BYTES = 131_072
/** A carrier that goes silent below the mux is probed after this, ms. */
const KEEP_ALIVE_MS = 15_000

function main(): void {
  process.stdout.on('error', () => {}) // whoever reads the log may go
  const publicKey = readKey(process.env.KT_PUBLIC_KEY ?? '')
  const orphanSeconds = Number(process.env.KT_ORPHAN_SECONDS ?? '') || ORPHAN_SECONDS
  let orphaned = setTimeout(leave, Math.min(FIRST_SESSION_SECONDS, orphanSeconds) * 1_000)
  const door = new Door({
    version: typeof KT_VERSION === 'undefined' ? 'checkout' : KT_VERSION,
    publicKey,
    log,
    changed(sessions) {
      clearTimeout(orphaned)
      if (sessions === 0) orphaned = setTimeout(leave, orphanSeconds * 1_000)
    }
  })
  const server = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    highWaterMark: CARRIER_BYTES
  })
  server.on('connection', socket => void door.enter(socket))
  server.on('error', error => {
    log(error.message)
    process.exit(1)
  })
  const [port, host = '127.0.0.1'] = (process.env.KT_LISTEN ?? String(AGENT_PORT)).split(':').reverse()
  server.listen(Number(port), host, () => log(`ready ${(server.address() as { port: number }).port}`))

  function leave(): void {
    log('no session for too long: the end')
    process.exit(0)
  }
  async function goodbye(): Promise<void> {
    server.close()
    await door.close()
    process.exit(0)
  }
  process.once('SIGTERM', () => void goodbye())
  process.once('SIGINT', () => void goodbye())
}

/** A PEM, its base64, or the path of a file with either. */
function readKey(value: string): string {
  const text = existsSync(value) ? readFileSync(value, 'utf8') : value
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString('latin1')
  if (pem.includes('-----BEGIN PUBLIC KEY-----')) return pem
  log('KT_PUBLIC_KEY holds no public key')
  process.exit(1)
}

function log(line: string): void {
  process.stdout.write(`${line}\n`)
}

main()
