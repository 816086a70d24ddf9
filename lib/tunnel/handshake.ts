// spec.md, "Handshake": who is there, before the first frame.
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import type { Duplex } from 'node:stream'

const VERSION = 3
/** Either side gives up after this, ms. */
const HANDSHAKE_MS = 10_000
const AGENT_MAGIC = 'kt-agent'
const CLIENT_MAGIC = 'ktclient'
/** What is signed begins with this, so that the signature is good for nothing else. */
const DOMAIN = Buffer.from('kt session v2: client proves its key\0')
const AGENT_HELLO_LENGTH = 64
const CLIENT_HELLO_LENGTH = 72
const SIGNATURE_LENGTH = 64
const VERDICT_LENGTH = 12
/** The client's flag: go on with the session. */
const RESUME = 1

const WELCOME = 0
const WRONG_KEY = 1
const WRONG_VERSION = 2
const MALFORMED = 3
const GONE = 4
const LATE = 5

/** `gone`: the agent does not hold the session. `late`: it has a newer carrier. */
export type HandshakeReason = 'timeout' | 'closed' | 'not-kt' | 'version' | 'wrong-key' | 'malformed' | 'gone' | 'late'

/** The carrier leads to nobody we may talk to; it has been destroyed. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError'
  readonly reason: HandshakeReason

  constructor(reason: HandshakeReason, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface ClientHandshake {
  /** Ed25519, PEM (PKCS #8) or a key object. */
  privateKey: string | KeyObject
  /** 16 bytes, random per session; made here when left out. */
  sessionId?: Uint8Array
  /** Called when it has to be known: one more each time, from 1. Default: 1. */
  number?(): number
  /**
   * The agent has said who it is (hex): the session to go on with and the bytes received in it, or undefined for a new one. From
   * then on nothing may be read from the session's last carrier.
   */
  resume?(instance: string): { sessionId: Uint8Array; received: number } | undefined
  /** Default: 10 s. */
  timeoutMs?: number
}

/** What a client wants that has proved its key. */
export interface ClientHello {
  /** Hex. */
  sessionId: string
  /** Counts the carriers of one key. */
  number: number
  /** Bytes of the session that the client has received; undefined: it begins. */
  resume: number | undefined
}

export interface AgentHandshake {
  /** Ed25519, PEM (SPKI) or a key object. */
  publicKey: string | KeyObject
  /** 16 bytes, random per process. */
  instance: Uint8Array
  /** Whether it may come in: bytes received in the session that is resumed, 0 in a new one. Default: everybody may, to begin. */
  admit?(hello: ClientHello): number | 'gone' | 'late'
  /** Default: 10 s. */
  timeoutMs?: number
}

/**
 * The laptop's side. Resolves to the carrier, ready for a MuxSession, the agent's instance id (hex), and what it has received of the
 * session if that goes on, else undefined.
 */
export async function clientHandshake(
  carrier: Duplex,
  options: ClientHandshake
): Promise<{ carrier: Duplex; instance: string; resumed: number | undefined }> {
  return await guarded(carrier, options.timeoutMs, async reader => {
    const hello = await reader.take(AGENT_HELLO_LENGTH)
    if (hello.toString('latin1', 0, 8) !== AGENT_MAGIC) {
      throw new HandshakeError('not-kt', 'what answers in the pod is not the agent of kt')
    }
    const version = hello.readUInt16BE(8)
    if (version !== VERSION) throw versionError(version)
    const instance = hello.toString('hex', 16, 32)
    const resume = options.resume?.(instance)
    const own = Buffer.alloc(CLIENT_HELLO_LENGTH)
    own.write(CLIENT_MAGIC, 'latin1')
    own.writeUInt16BE(VERSION, 8)
    own.writeUInt16BE(resume === undefined ? 0 : RESUME, 10)
    own.writeUInt32BE(options.number?.() ?? 1, 12)
    own.set(resume?.sessionId ?? options.sessionId ?? randomBytes(16), 16)
    own.writeBigUInt64BE(BigInt(resume?.received ?? 0), 32)
    randomBytes(32).copy(own, 40)
    const key = typeof options.privateKey === 'string' ? createPrivateKey(options.privateKey) : options.privateKey
    carrier.write(Buffer.concat([own, sign(null, Buffer.concat([DOMAIN, hello, own]), key)]))
    const verdict = await reader.take(VERDICT_LENGTH)
    if (verdict[0] === WRONG_KEY)
      throw new HandshakeError('wrong-key', 'the agent was made for another session: wrong key')
    if (verdict[0] === WRONG_VERSION) throw versionError(verdict.readUInt16BE(1))
    if (verdict[0] === GONE) throw new HandshakeError('gone', 'the agent does not know the session any more')
    if (verdict[0] === LATE) throw new HandshakeError('late', 'a newer carrier has overtaken this one')
    if (verdict[0] !== WELCOME) throw new HandshakeError('malformed', 'the agent did not understand the handshake')
    return { carrier, instance, resumed: resume === undefined ? undefined : position(verdict, 4) }
  })
}

/** The agent's side. Resolves to the carrier, ready for a MuxSession, and what the client has said. */
export async function agentHandshake(
  carrier: Duplex,
  options: AgentHandshake
): Promise<ClientHello & { carrier: Duplex }> {
  return await guarded(carrier, options.timeoutMs, async reader => {
    const own = Buffer.alloc(AGENT_HELLO_LENGTH)
    own.write(AGENT_MAGIC, 'latin1')
    own.writeUInt16BE(VERSION, 8)
    own.set(options.instance, 16)
    randomBytes(32).copy(own, 32)
    carrier.write(own)
    // The beginning alone: another version may be shorter.
    const beginning = await reader.take(10)
    if (beginning.toString('latin1', 0, 8) !== CLIENT_MAGIC) {
      throw refuse(carrier, MALFORMED, new HandshakeError('not-kt', 'the peer does not speak our handshake'))
    }
    const version = beginning.readUInt16BE(8)
    if (version !== VERSION) throw refuse(carrier, WRONG_VERSION, versionError(version))
    const hello = Buffer.concat([beginning, await reader.take(CLIENT_HELLO_LENGTH - beginning.length)])
    const signature = await reader.take(SIGNATURE_LENGTH)
    const key = typeof options.publicKey === 'string' ? createPublicKey(options.publicKey) : options.publicKey
    if (!verify(null, Buffer.concat([DOMAIN, own, hello]), key, signature)) {
      throw refuse(
        carrier,
        WRONG_KEY,
        new HandshakeError('wrong-key', 'the peer does not have the key of this session')
      )
    }
    const wish = readHello(hello)
    const admitted = options.admit?.(wish) ?? 0
    if (admitted === 'gone') throw refuse(carrier, GONE, new HandshakeError('gone', 'its session is not known here'))
    if (admitted === 'late') throw refuse(carrier, LATE, new HandshakeError('late', 'a newer one was here before'))
    carrier.write(verdictBytes(WELCOME, admitted))
    return { carrier, ...wish }
  })
}

function readHello(hello: Buffer): ClientHello {
  return {
    sessionId: hello.toString('hex', 16, 32),
    number: hello.readUInt32BE(12),
    resume: (hello.readUInt16BE(10) & RESUME) === 0 ? undefined : position(hello, 32)
  }
}

/** A number of bytes; what is beyond 2⁵³ nobody can have received, and rounding does not change that. */
function position(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64BE(at))
}

function versionError(theirs: number): HandshakeError {
  return new HandshakeError('version', `the other side speaks version ${theirs} of the handshake, this one ${VERSION}`)
}

function verdictBytes(verdict: number, received = 0): Buffer {
  const bytes = Buffer.alloc(VERDICT_LENGTH)
  bytes[0] = verdict
  bytes.writeUInt16BE(VERSION, 1)
  bytes.writeBigUInt64BE(BigInt(received), 4)
  return bytes
}

/** Say why before the carrier goes. */
function refuse(carrier: Duplex, verdict: number, error: HandshakeError): HandshakeError {
  carrier.end(verdictBytes(verdict))
  return error
}

/** Run one side; whatever goes wrong, the carrier is gone afterwards, and the time is limited. */
async function guarded<T>(
  carrier: Duplex,
  timeoutMs: number | undefined,
  run: (reader: Reader) => Promise<T>
): Promise<T> {
  const reader = new Reader(carrier)
  const timer = setTimeout(
    () => reader.fail(new HandshakeError('timeout', 'no handshake in time')),
    timeoutMs ?? HANDSHAKE_MS
  )
  try {
    return await run(reader)
  } catch (error) {
    carrier.on('error', () => {})
    // What was said last must leave first; a peer that does not read it is not waited for.
    if (carrier.writableEnded && !carrier.writableFinished) {
      const limit = setTimeout(() => carrier.destroy(), 1_000)
      carrier.once('finish', () => {
        clearTimeout(limit)
        carrier.destroy()
      })
    } else carrier.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    reader.release()
  }
}

/** Exact reads from a carrier; what was not taken goes back to it. */
class Reader {
  readonly #carrier: Duplex
  #wanted = 0
  #resolve: (bytes: Buffer) => void = () => {}
  #reject: (error: Error) => void = () => {}
  #failure: Error | undefined

  constructor(carrier: Duplex) {
    this.#carrier = carrier
    carrier.on('readable', this.#readable)
    carrier.on('end', this.#ended)
    carrier.on('close', this.#ended)
    carrier.on('error', this.#failed)
  }

  async take(length: number): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      this.#wanted = length
      this.#resolve = resolve
      this.#reject = reject
      if (this.#failure !== undefined) reject(this.#failure)
      else this.#readable()
    })
  }

  fail(error: Error): void {
    this.#failure = error
    this.#reject(error)
  }

  release(): void {
    this.#carrier.off('readable', this.#readable)
    this.#carrier.off('end', this.#ended)
    this.#carrier.off('close', this.#ended)
    this.#carrier.off('error', this.#failed)
  }

  readonly #readable = (): void => {
    if (this.#wanted === 0) return
    const bytes: Buffer | null = this.#carrier.read(this.#wanted)
    if (bytes === null) return
    if (bytes.length < this.#wanted) {
      this.fail(closed()) // the end came first
      return
    }
    this.#wanted = 0
    this.#resolve(bytes)
  }

  readonly #ended = (): void => this.fail(this.#failure ?? closed())
  readonly #failed = (error: Error): void => this.fail(new HandshakeError('closed', error.message))
}

function closed(): HandshakeError {
  return new HandshakeError('closed', 'the carrier ended during the handshake')
}
