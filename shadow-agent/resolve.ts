// "resolve": a DNS message relayed to the nameservers of this pod. RFC 1035 §4.2: UDP first, TCP when truncated.
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIP } from 'node:net'

/** Each nameserver is given this long, ms, and asked this many times: together under the patience of a stub resolver. */
const TRY_MS = 1_500
const ROUNDS = 2
const TCP_MS = 3_000
/** Questions in flight, each a socket. */
const MAX_QUESTIONS = 256
/** Nameservers that a resolv.conf may name (resolv.conf(5), MAXNS). */
const MAX_NAMESERVERS = 3
const DNS_PORT = 53
/** Shortest DNS message: its header. */
const HEADER_LENGTH = 12
/** The TC bit in the third byte. */
const TRUNCATED = 0x02

export interface Nameserver {
  address: string
  port: number
}

/** The nameservers in the text of a resolv.conf. */
export function nameservers(resolvConf: string): Nameserver[] {
  const found: Nameserver[] = []
  for (const line of resolvConf.split('\n')) {
    const [word, address = ''] = line.trim().split(/\s+/)
    if (word === 'nameserver' && isIP(address.split('%')[0]!) !== 0) found.push({ address, port: DNS_PORT })
  }
  return found.slice(0, MAX_NAMESERVERS)
}

let questions = 0

export type Answer = { verdict: 'opened'; message: Uint8Array } | { verdict: 'busy' | 'timeout' | 'denied' }

/** Ask each nameserver in turn. The answer carries the id of the question. Never rejects. */
export async function resolve(message: Uint8Array, servers: Nameserver[], signal: AbortSignal): Promise<Answer> {
  if (message.length < HEADER_LENGTH) return { verdict: 'denied' }
  if (questions >= MAX_QUESTIONS) return { verdict: 'busy' }
  questions += 1
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of servers) {
        if (signal.aborted) return { verdict: 'timeout' }
        const answer = await askServer(message, server, signal)
        if (answer !== undefined) return { verdict: 'opened', message: withId(answer, message[0]!, message[1]!) }
      }
    }
    return { verdict: 'timeout' }
  } finally {
    questions -= 1
  }
}

async function askServer(
  message: Uint8Array,
  server: Nameserver,
  signal: AbortSignal
): Promise<Uint8Array | undefined> {
  // A fresh id and a fresh port for each question: what we relay cannot be guessed from the laptop's questions.
  const id = randomInt(0x1_0000)
  const question = withId(message, id >> 8, id & 0xff)
  const answer = await askUdp(question, server, signal)
  if (answer === undefined || (answer[2]! & TRUNCATED) === 0) return answer
  return (await askTcp(question, server, signal)) ?? answer
}

function askUdp(question: Uint8Array, server: Nameserver, signal: AbortSignal): Promise<Uint8Array | undefined> {
  return new Promise(resolve => {
    const socket = createSocket(isIP(server.address) === 6 || server.address.includes('%') ? 'udp6' : 'udp4')
    const settle = (answer?: Uint8Array) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abandoned)
      socket.removeAllListeners('message')
      try {
        socket.close()
      } catch {
        // it failed before it was open
      }
      resolve(answer)
    }
    const abandoned = () => settle()
    const timer = setTimeout(settle, TRY_MS)
    signal.addEventListener('abort', abandoned)
    socket.on('error', () => settle())
    socket.on('message', answer => {
      if (answers(answer, question)) settle(answer)
    })
    socket.connect(server.port, server.address, (...[error]: unknown[]) => {
      if (error !== undefined) return settle()
      socket.send(question, failed => failed !== null && settle())
    })
  })
}

function askTcp(question: Uint8Array, server: Nameserver, signal: AbortSignal): Promise<Uint8Array | undefined> {
  return new Promise(resolve => {
    const socket = connect({ host: server.address, port: server.port, signal })
    let received: Buffer = Buffer.alloc(0)
    const settle = (answer?: Uint8Array) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(settle, TCP_MS)
    const framed = Buffer.allocUnsafe(2 + question.length)
    framed.writeUInt16BE(question.length, 0)
    framed.set(question, 2)
    socket.write(framed) // no FIN: some servers take it for "not interested any more"
    socket.on('error', () => settle())
    socket.on('close', () => settle())
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const answer = received.subarray(2, 2 + received.readUInt16BE(0))
      settle(answers(answer, question) ? answer : undefined)
    })
  })
}

/** Same id, and it is an answer. */
function answers(answer: Uint8Array, question: Uint8Array): boolean {
  return (
    answer.length >= HEADER_LENGTH &&
    answer[0] === question[0] &&
    answer[1] === question[1] &&
    (answer[2]! & 0x80) !== 0
  )
}

function withId(message: Uint8Array, high: number, low: number): Uint8Array {
  const copy = Uint8Array.from(message)
  copy[0] = high
  copy[1] = low
  return copy
}
