// The agent as a process of its own, from its bundle, and a session with it over plain TCP.
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { MuxSession, type MuxSessionOptions } from '../../lib/mux/session.ts'
import { clientHandshake } from '../../lib/tunnel/handshake.ts'
import { Tunnel } from '../../lib/tunnel/tunnel.ts'
import { bundleAgent } from '../../scripts/bundle-agent.ts'

export interface AgentProcess {
  child: ChildProcess
  port: number
  /** PEM. */
  publicKey: string
  privateKey: string
  /** Lines of its log so far. */
  log: string[]
  dial(): Promise<Socket>
  stop(): Promise<void>
}

export function keyPair(): { publicKey: string; privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  }
}

/** Start the bundle with `node` (default: the one that runs the tests) on a free port of 127.0.0.1. */
export async function startAgent(env: Record<string, string> = {}, node = process.execPath): Promise<AgentProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'kt-agent-'))
  const file = join(folder, 'agent.cjs')
  writeFileSync(file, await bundleAgent())
  const { publicKey, privateKey } = keyPair()
  const child = spawn(node, [file], {
    env: { KT_LISTEN: '127.0.0.1:0', KT_PUBLIC_KEY: Buffer.from(publicKey).toString('base64'), ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  // Behind a Service it does not end by itself: it must not outlive a test that broke off.
  process.once('exit', () => child.kill('SIGKILL'))
  const log: string[] = []
  let rest = ''
  const ready = new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + String(chunk)).split('\n')
      rest = lines.pop()!
      log.push(...lines)
      for (const line of lines) if (line.startsWith('ready ')) resolve(Number(line.slice(6)))
    })
    child.on('close', code => reject(new Error(`the agent ended with ${code}: ${log.join(' | ')}`)))
  })
  // The agent has read its file, or will never.
  const port = await ready.finally(() => rmSync(folder, { recursive: true, force: true }))
  return {
    child,
    port,
    publicKey,
    privateKey,
    log,
    async dial() {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      await once(socket, 'connect')
      return socket
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    }
  }
}

let carriers = 0
/** Of the carrier that is dialled next: more than all before. */
export function nextNumber(): number {
  carriers += 1
  return carriers
}

/** `onStream`: for what the agent opens; by default nothing may come in. */
export async function tunnelTo(
  agent: AgentProcess,
  onStream: MuxSessionOptions['onStream'] = stream => stream.reset('refused')
): Promise<{ tunnel: Tunnel; session: MuxSession; carrier: Duplex; instance: string }> {
  const { privateKey } = agent
  const { carrier, instance } = await clientHandshake(await agent.dial(), { privateKey, number: nextNumber })
  const session = new MuxSession(carrier, { role: 'client', onStream })
  return { tunnel: new Tunnel(session), session, carrier, instance }
}
