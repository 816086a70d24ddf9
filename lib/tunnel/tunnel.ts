// The laptop's side of the tunnel: connections, datagrams, names and facts, each on a stream of its own.
import type { Duplex } from 'node:stream'
import type { ResetCode } from '../mux/frame.ts'
import type { MuxSession } from '../mux/session.ts'
import { MuxResetError, type MuxStream } from '../mux/stream.ts'
import { DatagramDecoder, sendDatagram } from './datagrams.ts'
import type { AgentFacts } from './facts.ts'
import { decodeVerdict, encodeRequest, relayable, type Verdict } from './request.ts'

/** Longest answer to `resolve` and `facts`, bytes: a DNS message over TCP; a resolv.conf and a routing table. */
const MAX_ANSWER = 262_144
/** The agent answers a dial within 30 s; when it does not, it is not waited for, ms. */
const DIAL_MS = 35_000
/** The agent gives up a question after 6 s. */
const RESOLVE_MS = 8_000
const FACTS_MS = 10_000

export type TunnelReason = 'refused' | 'unreachable' | 'timeout' | 'reset' | 'not-found' | 'denied' | 'closed'

/** `closed`: the session is over, or `signal` said so; nothing is known about the target. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError'
  readonly reason: TunnelReason

  constructor(reason: TunnelReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Why a flow of datagrams ended. `idle`: the agent saw none for long. */
export type DatagramsEnd = TunnelReason | 'idle'

export interface Datagrams {
  /** False: dropped. The bytes are copied. */
  send(bytes: Uint8Array): boolean
  /** `closed` is not called afterwards. */
  close(): void
}

export class Tunnel {
  readonly #session: MuxSession

  constructor(session: MuxSession) {
    this.#session = session
  }

  /** A TCP connection of the agent. Resolves when it is established; rejects with a TunnelError. One round trip. */
  async dial(host: string, port: number, options: { signal?: AbortSignal } = {}): Promise<Duplex> {
    const stream = this.#session.open(encodeRequest({ kind: 'dial', host, port }))
    await opened(stream, `${host}:${port}`, DIAL_MS, options.signal)
    return stream
  }

  /**
   * A UDP flow of the agent. May be sent to at once. `received` may keep the bytes; `closed` is called once, unless we closed.
   */
  datagrams(
    host: string,
    port: number,
    received: (bytes: Uint8Array) => void,
    closed: (reason: DatagramsEnd) => void
  ): Datagrams {
    const stream = this.#session.open(encodeRequest({ kind: 'datagrams', host, port }))
    const decoder = new DatagramDecoder(received)
    let done = false
    const finish = (reason: DatagramsEnd) => {
      if (done) return
      done = true
      stream.destroy()
      closed(reason)
    }
    let verdict: Verdict | undefined
    stream.on('data', (bytes: Uint8Array) => {
      let rest = bytes
      if (verdict === undefined) {
        verdict = decodeVerdict(bytes[0]!)
        rest = bytes.subarray(1)
        if (verdict !== 'opened') return finish(reasonOf(verdict))
      }
      if (!done && !decoder.push(rest)) finish('closed')
    })
    stream.on('end', () => finish('idle'))
    stream.on('error', error => finish(error instanceof MuxResetError ? resetReason(error.resetCode) : 'closed'))
    stream.on('close', () => finish('closed'))
    return {
      send: bytes => sendDatagram(stream, bytes),
      close: () => {
        done = true
        stream.destroy()
      }
    }
  }

  /** Have a DNS message answered by the nameservers of the agent's pod; the answer has the question's id. */
  async resolve(message: Uint8Array, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    if (!relayable(message)) throw new TunnelError('denied', 'a DNS message that cannot be relayed')
    const stream = this.#session.open(encodeRequest({ kind: 'resolve', message }))
    return await answer(stream, 'the DNS of the cluster', RESOLVE_MS, options.signal)
  }

  /** A port of the loopback of the agent's pod that speaks `traffic.ts` until `close`. */
  async traffic(): Promise<{ port: number; close(): void }> {
    const stream = this.#session.open(encodeRequest({ kind: 'traffic' }))
    await opened(stream, 'traffic of the agent', FACTS_MS, undefined)
    const [high = 0, low = 0] = await take(stream, 2)
    return { port: (high << 8) | low, close: () => stream.destroy() }
  }

  async facts(): Promise<AgentFacts> {
    const stream = this.#session.open(encodeRequest({ kind: 'facts' }))
    const bytes = await answer(stream, 'the agent', FACTS_MS, undefined)
    return JSON.parse(new TextDecoder().decode(bytes)) as AgentFacts
  }
}

/** Exactly `length` bytes off the stream. */
async function take(stream: MuxStream, length: number): Promise<Uint8Array> {
  for (;;) {
    const bytes = stream.read(length) as Uint8Array | null
    if (bytes?.length === length) return bytes
    if (bytes !== null || stream.destroyed) throw new TunnelError('closed', 'the answer of the agent is too short')
    await new Promise<void>(resolve => {
      const woken = (): void => {
        stream.off('readable', woken).off('close', woken)
        resolve()
      }
      stream.on('readable', woken).on('close', woken)
    })
  }
}

/** Wait for the verdict and take it off the stream; everything behind it stays. */
async function opened(
  stream: MuxStream,
  what: string,
  limitMs: number,
  signal: AbortSignal | undefined
): Promise<void> {
  const verdict = await new Promise<Verdict | TunnelError>(resolve => {
    const readable = () => {
      const bytes = stream.read(1) as Buffer | null
      if (bytes !== null) settle(decodeVerdict(bytes[0]!))
    }
    const gone = (error?: Error) => settle(goneError(error, what))
    const abandoned = () => settle(new TunnelError('closed', `${what}: not wanted any more`))
    const timer = setTimeout(() => settle(new TunnelError('timeout', `${what}: no answer`)), limitMs)
    const settle = (result: Verdict | TunnelError) => {
      clearTimeout(timer)
      stream.off('readable', readable)
      stream.off('error', gone)
      stream.off('close', gone)
      stream.off('end', gone)
      signal?.removeEventListener('abort', abandoned)
      resolve(result)
    }
    stream.on('readable', readable)
    stream.on('error', gone)
    stream.on('close', gone)
    stream.on('end', gone)
    signal?.addEventListener('abort', abandoned)
    if (signal?.aborted) abandoned()
  })
  if (verdict === 'opened') return
  stream.destroy()
  throw verdict instanceof TunnelError ? verdict : new TunnelError(reasonOf(verdict), `${what}: ${verdict}`)
}

async function answer(
  stream: MuxStream,
  what: string,
  limitMs: number,
  signal: AbortSignal | undefined
): Promise<Uint8Array> {
  stream.end()
  const limit = AbortSignal.timeout(limitMs)
  await opened(stream, what, limitMs, signal)
  const either = signal === undefined ? limit : AbortSignal.any([limit, signal])
  const abandon = () => stream.destroy()
  either.addEventListener('abort', abandon)
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > MAX_ANSWER) throw new TunnelError('denied', `${what}: the answer is too long`)
    }
  } catch (error) {
    if (error instanceof TunnelError) throw error
    if (limit.aborted) throw new TunnelError('timeout', `${what}: no answer`)
    throw goneError(error, what)
  } finally {
    either.removeEventListener('abort', abandon)
  }
  return Buffer.concat(chunks)
}

function goneError(error: unknown, what: string): TunnelError {
  const reason = error instanceof MuxResetError ? resetReason(error.resetCode) : 'closed'
  return new TunnelError(reason, `${what}: ${error instanceof Error ? error.message : 'the tunnel is closed'}`)
}

/** What an answer means for the one who has asked. */
export function reasonOf(verdict: Verdict): TunnelReason {
  switch (verdict) {
    case 'opened':
      return 'closed'
    case 'busy':
    case 'failed':
      return 'timeout' // proves nothing about the target
    default:
      return verdict
  }
}

function resetReason(code: ResetCode): TunnelReason {
  switch (code) {
    case 'refused':
    case 'closed':
      return code
    case 'limit':
      return 'timeout'
    default:
      return 'reset'
  }
}
