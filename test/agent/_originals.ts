// In a network namespace: a pod with the agent, two original pods, a name server for their headless Service, and callers.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode, encode } from 'dns-packet'
import type { RouterConfig } from '../../lib/router/config.ts'
import type { ExposeConfig } from '../../lib/tunnel/expose.ts'
import { type AgentProcess, startAgent } from '../_support/agent.ts'
import { serveCalls } from '../_support/netns.ts'
import { bytesOf } from '../compliance/duplex.ts'

const NAME = 'web-kt-stuntman.demo.svc.cluster.local'
const PORT = 8080
/** Another one, because here they share an address family with the agent, which listens at all addresses. */
const ORIGINAL_PORT = 9090
/** The pod of the agent, whose address the headless Service names, too. */
const OWN = '10.77.0.1'

type Mood = 'answers' | 'silent' | 'no such name'

const originals = new Map<string, Server>()
let agent: AgentProcess | undefined
let mood: Mood = 'answers'
let questions = 0

function serveNames(): void {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => {
    questions += 1
    if (mood === 'silent') return
    const query = decode(bytes)
    const [question] = query.questions ?? []
    const known = mood === 'answers' && question?.name === NAME
    const answers = known && question.type === 'A' ? [OWN, ...originals.keys()] : []
    const answer = encode({
      type: 'response',
      id: query.id ?? 0,
      flags: known ? 0 : 3,
      questions: query.questions ?? [],
      answers: answers.map(data => ({ type: 'A' as const, name: NAME, ttl: 5, data }))
    })
    socket.send(answer, from.port, from.address)
  })
  socket.bind(53, '127.0.0.1')
}

async function serveOriginal(address: string): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    void bytesOf(socket).then(bytes => socket.end(`${address} ${bytes}`))
  }).listen(ORIGINAL_PORT, address)
  await once(server, 'listening')
  originals.set(address, server)
}

async function callOnce(text: string): Promise<string> {
  const socket = connect(PORT, OWN)
  socket.end(text)
  try {
    return String(await bytesOf(socket))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error'
  }
}

async function startWith(config: ExposeConfig | RouterConfig): Promise<AgentProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'kt-originals-'))
  const file = join(folder, 'config.json')
  writeFileSync(file, JSON.stringify(config))
  const agent = await startAgent('routes' in config ? { KT_ROLE: 'router', KT_ROUTES: file } : { KT_EXPOSE: file })
  rmSync(folder, { recursive: true })
  return agent
}

serveCalls({
  async start(role: 'shadow' | 'router') {
    serveNames()
    for (const address of ['10.77.0.2', '10.77.0.3']) await serveOriginal(address)
    const port = { port: PORT, network: 'tcp', original: ORIGINAL_PORT } as const
    const shadow: ExposeConfig = { originals: NAME, ports: [{ ...port, to: 'laptop', fallback: false }] }
    const router: RouterConfig = { version: 1, service: 'web', originals: NAME, ports: [port], routes: [] }
    agent = await startWith(role === 'router' ? router : shadow)
  },
  /** As the kubelet ends a pod. */
  terminate() {
    agent?.child.kill('SIGTERM')
  },
  /** Call `count` times, all at once; how often each answered. */
  async call(count: number) {
    const said: Record<string, number> = {}
    for (const text of await Promise.all(Array.from({ length: count }, (_, i) => callOnce(String(i))))) {
      const who = text.split(' ')[0]!
      said[who] = (said[who] ?? 0) + 1
    }
    return said
  },
  /** The pod ends, but its address is still named. */
  end(address: string) {
    originals.get(address)?.close()
  },
  mood(wanted: Mood) {
    mood = wanted
  },
  questions: () => questions,
  async stop() {
    agent?.child.kill('SIGKILL')
    await agent?.stop()
  }
})
