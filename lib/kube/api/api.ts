// REST over a few kept-alive connections of our own. Why not the API client's own calls: importing it costs 250–950 ms and
// 70–90 MB (measured, Node 24), it opens a socket per call, and its watches stop at the first ECONNRESET.
import type { AgentOptions, ClientRequest, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../../errors.ts'
import { Agent as HttpAgent, request as httpRequest } from '../../http.ts'
import { readStatus, refused, statusOf, unreachable } from './api-error.ts'
import type { Credentials } from './credentials.ts'
import { dial, type Target } from './dial.ts'
import { METHODS, pathOf, type Request } from './resource.ts'
import { Troubles } from './troubles.ts'

/** Requests at once beside the watches, which have connections of their own: enough for a start, a TLS handshake each. */
const CONNECTIONS_MAX = 8
/** The API server ends an ordinary request after 60 s itself. */
const ANSWER_LIMIT_MS = 65_000
/** A page of a list is far smaller; more would be somebody filling our memory. */
const BODY_MAX_BYTES = 64 * 1024 * 1024
/** An idle connection is given up before a load balancer forgets it. */
const IDLE_MS = 30_000
/** "Too many requests" and "try later" are obeyed so often, for at most so long each. */
const RETRIES = 3
const RETRY_MAX_MS = 5_000

/** Opens connections for node:http; the socket callback may be called late. */
class DialingAgent extends HttpAgent {
  readonly #dial: () => Promise<Duplex>

  constructor(dialer: () => Promise<Duplex>, options: AgentOptions) {
    super(options)
    this.#dial = dialer
  }

  override createConnection(_options: unknown, done?: (error: Error | null, socket: Duplex) => void): undefined {
    this.#dial().then(
      socket => done?.(null, socket),
      (error: Error) => done?.(error, undefined as unknown as Duplex)
    )
  }
}

export class Api {
  readonly #target: Target
  readonly #credentials: Credentials
  readonly #user: string
  readonly #agent: DialingAgent
  readonly #watches: DialingAgent
  /** Watches that fail. */
  readonly troubles = new Troubles()
  #way = new AbortController()

  constructor(target: Target, credentials: Credentials, user: string) {
    this.#target = target
    this.#credentials = credentials
    this.#user = user
    const dialer = async () => await dial(target, await credentials.current())
    this.#agent = new DialingAgent(dialer, { keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: IDLE_MS })
    this.#watches = new DialingAgent(dialer, { keepAlive: false })
  }

  /** One request, one JSON answer. Throws KtError; its cause is an ApiStatus when the server has answered. */
  async call<T>(request: Request, signal?: AbortSignal): Promise<T> {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS)
    const stop = signal === undefined ? limit : AbortSignal.any([signal, limit])
    try {
      const response = await this.#send(this.#agent, request, stop)
      return JSON.parse(await bodyOf(response)) as T
    } catch (cause) {
      signal?.throwIfAborted()
      if (cause instanceof KtError) throw cause
      throw unreachable(
        this.#target.server,
        limit.aborted ? new Error(`no answer within ${ANSWER_LIMIT_MS / 1000} s`) : cause
      )
    }
  }

  /** A request whose answer does not end: the caller reads the body, and destroys it to stop. */
  async open(request: Request, signal: AbortSignal): Promise<IncomingMessage> {
    return await this.#send(this.#watches, request, signal)
  }

  /** Fires when the way to the server has been lost, or found again: what only listens would not be told by a dead connection. */
  get way(): AbortSignal {
    return this.#way.signal
  }

  /** The way to the server was lost, or is there again. Idle connections are given up, whose next request would hang; `way` fires, and is a new one. */
  wayChanged(): void {
    this.#dropIdle()
    const before = this.#way
    this.#way = new AbortController()
    before.abort(new Error('the way to the API server is not the same any more'))
  }

  #dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }

  /** Close idle connections, so that the process can end. */
  close(): void {
    this.#agent.destroy()
    this.#watches.destroy()
  }

  async #send(agent: DialingAgent, request: Request, signal: AbortSignal): Promise<IncomingMessage> {
    let anew = true
    for (let attempt = 0; ; attempt++) {
      const response = await this.#attempt(agent, request, signal)
      const code = response.statusCode ?? 0
      if (code >= 200 && code < 300) return response
      const { socket } = response
      const status = readStatus(code, await bodyOf(response).catch(() => ''))
      if (code === 401 && anew && this.#credentials.invalidate()) {
        anew = false
        // A connection keeps the certificate with which it was made.
        socket.destroy()
        this.#dropIdle()
        continue
      }
      if ((code !== 429 && code !== 503) || attempt >= RETRIES) throw refused(status, request, this.#user)
      const wait = Number(response.headers['retry-after']) * 1000 || 250 * 2 ** attempt
      await sleep(Math.min(wait, RETRY_MAX_MS), undefined, { signal })
    }
  }

  async #attempt(agent: DialingAgent, request: Request, signal: AbortSignal): Promise<IncomingMessage> {
    const { headers } = await this.#credentials.current()
    for (;;) {
      const sent = this.#request(agent, request, headers, signal)
      try {
        return await answer(sent)
      } catch (cause) {
        // The server may close an idle connection at the very moment we use it; asking again is safe for these verbs.
        const stale = sent.reusedSocket && (cause as NodeJS.ErrnoException).code === 'ECONNRESET'
        if (stale && request.verb !== 'create' && request.verb !== 'patch') continue
        if (cause instanceof KtError || signal.aborted) throw cause
        throw unreachable(this.#target.server, cause, this.#target.proxy)
      }
    }
  }

  #request(
    agent: DialingAgent,
    request: Request,
    identity: Record<string, string | string[]>,
    signal: AbortSignal
  ): ClientRequest {
    const { server } = this.#target
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body))
    const type = request.verb === 'patch' ? 'application/merge-patch+json' : 'application/json'
    const headers: Record<string, string | string[]> = {
      ...identity,
      host: server.host,
      accept: 'application/json',
      'user-agent': 'kt'
    }
    if (body !== undefined) Object.assign(headers, { 'content-type': type, 'content-length': String(body.length) })
    const sent = httpRequest({
      agent,
      method: METHODS[request.verb],
      path: pathOf(request, server.pathname),
      headers,
      signal
    })
    sent.end(body)
    return sent
  }
}

function answer(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    sent.once('response', done)
    sent.on('error', fail) // stays: a later error belongs to the body, which reports it itself
  })
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_MAX_BYTES) throw new Error(`the answer is larger than ${BODY_MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** True for refusals that mean "not for you" or "not here", after which another source is asked. */
export function unavailable(error: unknown): boolean {
  const status = statusOf(error)
  return status === 403 || status === 404 || status === 405
}
