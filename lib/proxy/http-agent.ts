// Node's HTTP client on connections of a dialer: kept alive as its own are, but no socket of this computer.
import type { AgentOptions } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { Agent } from '../http.ts'
import type { Dialer } from './dialer.ts'

/** Idle connections to one target that are kept. */
const MAX_IDLE = 16
const OPTIONS: AgentOptions = { keepAlive: true, maxFreeSockets: MAX_IDLE }

interface Where {
  host?: string | null | undefined
  port?: string | number | null | undefined
}
type Done = (error: Error | null, stream: Duplex) => void

/** For `http.request`. */
export class DialingAgent extends Agent {
  readonly #dialer: Dialer

  constructor(dialer: Dialer) {
    super(OPTIONS)
    this.#dialer = dialer
  }

  override createConnection(where: Where, done: Done): undefined {
    open(this.#dialer, where, 80).then(stream => done(null, stream), failed(done))
  }
}

/** For `https.request`: TLS ends at the target. */
export class SecureDialingAgent extends SecureAgent {
  readonly #dialer: Dialer

  constructor(dialer: Dialer) {
    super(OPTIONS)
    this.#dialer = dialer
  }

  override createConnection(where: Where & ConnectionOptions, done: Done): undefined {
    open(this.#dialer, where, 443).then(stream => {
      const { host: _, port: __, ...options } = where
      done(null, connectTls({ ...options, socket: stream }))
    }, failed(done))
  }
}

async function open(dialer: Dialer, { host, port }: Where, ordinaryPort: number): Promise<Duplex> {
  return asSocket(await dialer.dial(host ?? 'localhost', Number(port ?? ordinaryPort)))
}

/** What Node's clients ask of a connection beside bytes: a stream of ours has no kernel behind it and keeps no process alive by itself. */
const OF_A_SOCKET = {
  setKeepAlive() {},
  setNoDelay() {},
  setTimeout() {},
  ref() {},
  unref() {}
}

/** A stream as HTTP clients want it: one that the server ends is over, so that no idle one is taken for open. */
export function asSocket(stream: Duplex): Duplex {
  stream.allowHalfOpen = false
  return 'setKeepAlive' in stream ? stream : Object.assign(stream, OF_A_SOCKET)
}

const failed =
  (done: Done) =>
  (error: Error): void =>
    (done as (error: Error) => void)(error)
