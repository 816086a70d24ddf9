// Names that are not the cluster's: asked from the resolvers that were there before, bytes unchanged in both directions.
import { createSocket } from 'node:dgram'
import { connect, isIP } from 'node:net'
import { LoopGuard } from './loop.ts'
import { RCODE, rcodeOf, readQuestion } from './message.ts'
import { FrameReader, frame } from './tcp.ts'

export type Transport = 'udp' | 'tcp'

const PORT = 53
/** Without an answer for so long the next upstream is asked as well, and the first answer of any counts. */
const NEXT_MS = 800
/** A datagram is sent again after this time. */
const RESEND_MS = 1500
/** Then the question has failed; glibc gives up after 5 s. */
const LIMIT_MS = 4000
/** An upstream that let us wait is asked last for so long. */
const SLOW_MS = 30_000
/** Questions under way; each has a socket. A further one fails at once. */
const PENDING_MAX = 512

/** glibc asks the next server after these too (res_send.c). */
const ASK_NEXT: readonly number[] = [RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED]

/** An answer and the upstream that gave it. */
export interface Upstreamed {
  answer: Uint8Array
  upstream: string
}

export class Forwarder {
  /** Addresses, `address:port` or `[address]:port`, best first. */
  upstreams: readonly string[]
  readonly #slowUntil = new Map<string, number>()
  readonly #pending = new Map<string, Promise<Upstreamed>>()
  readonly #guard = new LoopGuard((probe, upstream) => {
    askUdp(probe, upstream, AbortSignal.timeout(NEXT_MS)).catch(() => {})
  })

  constructor(upstreams: readonly string[]) {
    this.upstreams = upstreams
  }

  /** The answer of `askWho` alone. */
  async ask(message: Uint8Array, transport: Transport): Promise<Uint8Array> {
    return (await this.askWho(message, transport)).answer
  }

  /**
   * The answer to `message` as the first upstream that answers gives it; the id is the question's. The same question
   * asked again while it is under way is not sent again. Rejects when nobody answers.
   */
  async askWho(message: Uint8Array, transport: Transport): Promise<Upstreamed> {
    const key = transport + Buffer.from(message.subarray(2)).toString('latin1')
    const under = this.#pending.get(key)
    if (under !== undefined) {
      this.#guard.suspect(this.upstreams)
      return withId(message, await this.#guard.unlessLoop(under))
    }
    if (this.#pending.size >= PENDING_MAX) throw new Error('too many questions under way')
    const asked = this.#ask(message, transport)
    this.#pending.set(key, asked)
    try {
      return withId(message, await asked)
    } finally {
      this.#pending.delete(key)
    }
  }

  /** True if this question is our own and has come round to us: it is to be refused. */
  cameBack(name: string): boolean {
    return this.#guard.cameBack(name)
  }

  #ask(message: Uint8Array, transport: Transport): Promise<Upstreamed> {
    const send = transport === 'udp' ? askUdp : askTcp
    const now = performance.now()
    const isSlow = (upstream: string): boolean => (this.#slowUntil.get(upstream) ?? 0) > now
    const upstreams = this.upstreams.filter(upstream => !this.#guard.loops(upstream))
    const order = [...upstreams.filter(upstream => !isSlow(upstream)), ...upstreams.filter(isSlow)]
    const attempts = order.map(upstream => async (signal: AbortSignal): Promise<Upstreamed> => {
      const answer = await send(message, upstream, signal)
      this.#slowUntil.delete(upstream)
      return { answer, upstream }
    })
    return firstOf(attempts, skipped => {
      for (const i of skipped) this.#slowUntil.set(order[i] ?? '', performance.now() + SLOW_MS)
    })
  }
}

/** A copy of the answer with the id of the question. */
function withId(question: Uint8Array, { answer, upstream }: Upstreamed): Upstreamed {
  const copy = Uint8Array.from(answer)
  copy.set(question.subarray(0, 2))
  return { answer: copy, upstream }
}

type Attempt = (signal: AbortSignal) => Promise<Upstreamed>

/**
 * The first good answer. An attempt that fails, refuses or takes too long starts the next; a refusal counts only if
 * nobody does better. `late` is told which attempts had not ended although others were begun after them.
 */
function firstOf(attempts: Attempt[], late: (indices: number[]) => void): Promise<Upstreamed> {
  return new Promise((resolve, reject) => {
    const abort = new AbortController()
    const running = new Set<number>()
    let begun = 0
    let refusal: Upstreamed | undefined
    let timer: NodeJS.Timeout | undefined
    const settle = (answer: Upstreamed | undefined): void => {
      if (abort.signal.aborted) return
      clearTimeout(timer)
      clearTimeout(limit)
      late([...running].filter(i => i < begun - 1 || answer === undefined))
      abort.abort()
      if (answer === undefined) reject(new Error('no upstream answers'))
      else resolve(answer)
    }
    const limit = setTimeout(() => settle(refusal), LIMIT_MS)
    const next = (): void => {
      clearTimeout(timer)
      const i = begun
      const attempt = attempts[i]
      if (attempt === undefined) {
        if (running.size === 0) settle(refusal)
        return
      }
      begun++
      running.add(i)
      timer = setTimeout(next, NEXT_MS)
      attempt(abort.signal).then(
        answer => {
          running.delete(i)
          if (!ASK_NEXT.includes(rcodeOf(answer.answer))) settle(answer)
          else {
            refusal ??= answer
            next()
          }
        },
        () => {
          running.delete(i)
          if (!abort.signal.aborted) next()
        }
      )
    }
    next()
  })
}

/** One upstream over UDP, from a port of its own and only from its address (RFC 5452). Rejects when `signal` is aborted. */
export function askUdp(message: Uint8Array, upstream: string, signal: AbortSignal): Promise<Uint8Array> {
  const { address, port } = endpointOf(upstream)
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIP(address.replace(/%.*$/, '')) === 6 ? 'udp6' : 'udp4')
    let resend: NodeJS.Timeout | undefined
    let over: boolean = false
    const end = (error: Error | undefined, answer?: Uint8Array): void => {
      if (over) return
      over = true
      clearInterval(resend)
      signal.removeEventListener('abort', cancel)
      socket.removeAllListeners('error').on('error', () => {}) // an ICMP error may still come in
      socket.close()
      if (answer === undefined) reject(error ?? new Error('no answer'))
      else resolve(answer)
    }
    const cancel = (): void => end(new Error('cancelled'))
    signal.addEventListener('abort', cancel)
    socket.on('error', end)
    socket.on('message', answer => {
      if (answers(answer, message)) end(undefined, answer)
    })
    // Where there is no way, the callback is told, and nobody else.
    socket.connect(port, address, (...[error]: unknown[]) => {
      if (over || error !== undefined) return end(error as Error | undefined)
      socket.send(message)
      resend = setInterval(() => socket.send(message), RESEND_MS)
    })
  })
}

/** One upstream over TCP, one connection for the question. */
export function askTcp(message: Uint8Array, upstream: string, signal: AbortSignal): Promise<Uint8Array> {
  const { address, port } = endpointOf(upstream)
  return new Promise((resolve, reject) => {
    const reader = new FrameReader()
    const socket = connect({ host: address, port, signal })
    socket.on('connect', () => socket.write(frame(message)))
    socket.on('data', chunk => {
      const answer = reader.push(chunk).find(each => answers(each, message))
      if (answer === undefined) return
      resolve(answer)
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed without an answer')))
  })
}

/** True if this can be the answer: the same id and the same question, which servers may leave out of a refusal. */
function answers(answer: Uint8Array, question: Uint8Array): boolean {
  if (answer.length < 12 || answer[0] !== question[0] || answer[1] !== question[1]) return false
  const view = Buffer.from(answer)
  if ((view.readUInt16BE(2) & 0x8000) === 0) return false
  if (view.readUInt16BE(4) === 0) return rcodeOf(answer) !== RCODE.NOERROR
  const asked = readQuestion(question)
  // The answer's question, read as if it had been asked.
  const echo = Buffer.concat([view.subarray(0, 2), Buffer.from([0, 0]), view.subarray(4)])
  const echoed = readQuestion(echo)
  if (typeof asked !== 'object' || typeof echoed !== 'object') return typeof asked !== 'object'
  return asked.name === echoed.name && asked.type === echoed.type && asked.class === echoed.class
}

function endpointOf(upstream: string): { address: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(upstream) ?? []
  return port === undefined
    ? { address: upstream, port: PORT }
    : { address: bracketed ?? plain ?? '', port: Number(port) }
}
