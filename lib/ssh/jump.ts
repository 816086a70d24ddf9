// `--via`: connections that a jump host opens for us, over one ssh connection that is made when it is needed, and made again when it is lost.
import { createHash } from 'node:crypto'
import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Client, ServerHostKeyAlgorithm } from 'ssh2'
import { KtError } from '../errors.ts'
import { ChannelStream } from './channel-stream.ts'
import { type Login, loginOf } from './jump-login.ts'
import { type KnownKey, knownKeys, knownName, typeOfKey } from './known-hosts.ts'
import { parseVia, type UserConfig, userConfig } from './user-config.ts'

/** TCP and ssh together; half a dozen round trips, and a few keys that are tried. */
const CONNECT_LIMIT_MS = 10_000
/** A connection that does not answer a request for so long is not asked again, ms: the next one has an own. */
const ANSWER_LIMIT_MS = 3_000
/** It is asked whether it lives so often, ms, and is given up after so many questions. */
const ALIVE_MS = 5_000
const ALIVE_QUESTIONS = 3
/** What a key of this type signs with; others with what they are called. */
const RSA: readonly ServerHostKeyAlgorithm[] = ['rsa-sha2-512', 'rsa-sha2-256']
const HOST_KEYS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  ...RSA
]
/** RFC 4254 §5.1. */
const PROHIBITED = 1

/** What opens a connection for us has no kernel behind it that could be told these; who calls them means well. */
export class JumpStream extends ChannelStream {
  setKeepAlive(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setTimeout(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
}

interface Line {
  readonly client: Client
  readonly socket: Socket
  /** What goes by it. */
  readonly streams: Set<JumpStream>
  /** It has left somebody without an answer: it ends when nothing goes by it any more. */
  retired: boolean
}

export class JumpHost {
  readonly #config: UserConfig
  /** The one that new connections go by, or will. */
  #line: Promise<Line> | undefined
  readonly #lines = new Set<Line>()
  readonly #stop = new AbortController()
  /** What its name meant when it was reached last. */
  #found: readonly LookupAddress[] = []

  private constructor(config: UserConfig) {
    this.#config = config
  }

  /** `text` as behind `--via`, `home` whose ssh is meant (default: who has typed the command); nothing is connected yet. Rejects with KT_USAGE or KT_JUMP_HOST. */
  static async from(text: string, home?: string): Promise<JumpHost> {
    return new JumpHost(await userConfig(parseVia(text), home))
  }

  /** `ssh://me@10.0.0.1:22`, as the ssh configuration resolves it. */
  get url(): URL {
    const { user, host, port } = this.#config
    return new URL(`ssh://${encodeURIComponent(user)}@${host.includes(':') ? `[${host}]` : host}:${port}`)
  }

  /** Where it has been reached, and will be: a tunnel that goes by it must leave these out. Empty before. */
  get addresses(): string[] {
    return this.#found.map(({ address }) => address)
  }

  /** A connection from the jump host to `host`, whose name is resolved there. Rejects with KT_JUMP_HOST, or with why `signal` has fired. */
  async open(host: string, port: number, signal: AbortSignal): Promise<JumpStream> {
    for (let last = false; ; last = true) {
      const line = await unless(signal, this.#current())
      const stream = this.#forward(line, host, port)
      try {
        return await unless(last ? signal : AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]), stream)
      } catch (error) {
        void stream.then(late => late.destroy()).catch(() => {})
        signal.throwIfAborted()
        if (error instanceof KtError || last) throw error
        // Lost, or as good as that: another one may do better.
        this.#retire(line)
      }
    }
  }

  /** End all connections that go by it. */
  close(): void {
    this.#stop.abort()
    for (const { client, socket } of this.#lines) {
      client.end()
      socket.unref() // its end is not waited for
    }
  }

  #current(): Promise<Line> {
    if (this.#line !== undefined) return this.#line
    const line = this.#connect()
    const forget = (): void => {
      if (this.#line === line) this.#line = undefined
    }
    line.then(({ socket }) => socket.once('close', forget), forget)
    this.#line = line
    return line
  }

  #retire(line: Line): void {
    line.retired = true
    this.#line = undefined
    if (line.streams.size === 0) line.client.end()
  }

  #forward(line: Line, host: string, port: number): Promise<JumpStream> {
    const { client, socket, streams } = line
    return new Promise((resolve, reject) => {
      client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
        if (error !== undefined) {
          const { reason } = error as Error & { reason?: unknown }
          return reject(typeof reason === 'number' ? this.#notForwarded(reason, `${host}:${port}`, error) : error)
        }
        const stream = new JumpStream(channel, socket)
        streams.add(stream)
        stream.once('close', () => {
          streams.delete(stream)
          if (line.retired && streams.size === 0) client.end()
        })
        return resolve(stream)
      })
    })
  }

  /** First where it was last: a tunnel that goes by it may have given its name to a service of the cluster. */
  async #connect(): Promise<Line> {
    const known = this.#found.length === 0 ? undefined : await this.#connectTo(this.#found).catch(() => undefined)
    return known ?? (await this.#connectTo(await this.#lookUp()))
  }

  async #connectTo(addresses: readonly LookupAddress[]): Promise<Line> {
    const { Client } = (await import('ssh2')).default
    const login = await loginOf(this.#config)
    const socket = await this.#reached(addresses)
    socket.setMaxListeners(0) // each connection that goes by it waits for it
    const client = new Client()
    const line: Line = { client, socket, streams: new Set(), retired: false }
    const { promise, resolve, reject } = Promise.withResolvers<Line>()
    const known = this.#knownKeys()
    let shown: Buffer | undefined
    client.on('ready', () => resolve(line))
    client.on('error', (error: Error & { level?: string }) => {
      if (error.level === 'agent') return // the next key is tried
      reject(this.#refused(error, { shown, known, login }))
    })
    client.on('close', () => {
      this.#lines.delete(line)
      reject(this.#error('closed the connection'))
    })
    this.#lines.add(line)
    client.connect({
      sock: socket,
      username: this.#config.user,
      readyTimeout: CONNECT_LIMIT_MS,
      keepaliveInterval: ALIVE_MS,
      keepaliveCountMax: ALIVE_QUESTIONS,
      authHandler: login.methods,
      algorithms: { serverHostKey: preferred(known) },
      hostVerifier: (key: Buffer) => {
        shown = key
        return isKnown(known, key)
      }
    })
    await unless(this.#stop.signal, promise).catch((error: unknown) => {
      client.end()
      socket.destroy()
      throw error
    })
    this.#found = addresses
    return line
  }

  async #lookUp(): Promise<LookupAddress[]> {
    try {
      return await unless(this.#limit(), lookup(this.#config.host, { all: true }))
    } catch (cause) {
      throw this.#notReached(cause)
    }
  }

  async #reached(addresses: readonly LookupAddress[]): Promise<Socket> {
    const { host, port } = this.#config
    const socket = connect({
      ...{ host, port, noDelay: true, keepAlive: true, autoSelectFamily: true },
      lookup: (_host, _options, done) => done(null, [...addresses])
    })
    try {
      await once(socket, 'connect', { signal: this.#limit() })
      return socket
    } catch (cause) {
      socket.on('error', () => {}).destroy()
      throw this.#notReached(cause)
    }
  }

  #limit(): AbortSignal {
    return AbortSignal.any([this.#stop.signal, AbortSignal.timeout(CONNECT_LIMIT_MS)])
  }

  #notReached(cause: unknown): KtError {
    const late = ['AbortError', 'TimeoutError'].includes((cause as Error).name)
    const why = late ? `no answer within ${CONNECT_LIMIT_MS / 1000} s` : wordsOf(cause)
    return new KtError('KT_JUMP_HOST', `cannot reach the jump host ${this.url.href}: ${why}`, { cause })
  }

  #knownKeys(): KnownKey[] {
    const { host, port, alias, knownHostsFiles } = this.#config
    const name = alias ?? knownName(host, port)
    return knownHostsFiles.flatMap(file => knownKeys(textOf(file), name))
  }

  /** Why there is no ssh connection. */
  #refused(
    error: Error & { level?: string },
    at: { shown: Buffer | undefined; known: KnownKey[]; login: Login }
  ): KtError {
    const { user, host, port, alias } = this.#config
    const { shown, known, login } = at
    const ssh = `ssh ${port === 22 ? '' : `-p ${port} `}${user}@${host}`
    if (shown !== undefined && !isKnown(known, shown)) {
      const key = `${typeOfKey(shown)} SHA256:${createHash('sha256').update(shown).digest('base64').replace(/=+$/, '')}`
      const changed = known.length > 0
      return this.#error(
        changed ? `shows another host key than known_hosts has: ${key}` : `is not known: its host key is ${key}`,
        {
          hint: changed
            ? `ssh-keygen -R "${alias ?? knownName(host, port)}", if that is right`
            : `${ssh} asks whether that is right`,
          cause: error
        }
      )
    }
    if (error.level === 'client-authentication') {
      const [locked] = login.locked
      const tried = login.methods.length === 0 ? 'there is none that could be offered' : 'none of them'
      return this.#error(`does not let ${user} in with the keys of this computer: ${tried}`, {
        hint:
          locked === undefined ? `${ssh} must work without a password` : `ssh-add ${locked}: that key has a passphrase`,
        cause: error
      })
    }
    return this.#error(`cannot be spoken to: ${error.message}`, { cause: error })
  }

  #notForwarded(reason: number, to: string, cause: Error): KtError {
    if (reason === PROHIBITED)
      return this.#error(`may not open connections to ${to}`, {
        hint: 'AllowTcpForwarding and PermitOpen in its sshd_config decide that',
        cause
      })
    return this.#error(`does not reach ${to}: ${cause.message.replace(/^.*failure: /, '')}`, {
      hint: 'the address in the kubeconfig must be one that the jump host can use',
      cause
    })
  }

  #error(what: string, more: { hint?: string; cause?: unknown } = {}): KtError {
    return new KtError('KT_JUMP_HOST', `the jump host ${this.url.href} ${what}`, more)
  }
}

/** Key types that are known come first, so that a host with several shows one of those. */
function preferred(known: readonly KnownKey[]): ServerHostKeyAlgorithm[] {
  const types = new Set(known.map(({ type }) => type))
  const isFirst = (algorithm: ServerHostKeyAlgorithm): boolean =>
    types.has(algorithm) || (types.has('ssh-rsa') && RSA.includes(algorithm))
  return [...HOST_KEYS.filter(isFirst), ...HOST_KEYS.filter(algorithm => !isFirst(algorithm))]
}

function isKnown(known: readonly KnownKey[], key: Buffer): boolean {
  const same = known.filter(({ blob }) => blob.equals(key))
  return same.length > 0 && same.every(({ revoked }) => !revoked)
}

/** The result, or a rejection as soon as `signal` fires. */
async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([aborted.promise, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return wordsOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
