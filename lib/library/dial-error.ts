// Why a dial failed, with the codes that Node's own sockets have, so that retry logic of a program knows them.
import { type Dialer, tunnelError } from '../proxy/dialer.ts'
import type { TunnelReason } from '../tunnel/tunnel.ts'

/** `ECONNABORTED`: the connection to the agent is lost at the moment, or the signal of the caller has fired. */
export type DialErrorCode =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'EHOSTUNREACH'
  | 'ETIMEDOUT'
  | 'ENOTFOUND'
  | 'EACCES'
  | 'ECONNABORTED'

const CODES: Record<TunnelReason, DialErrorCode> = {
  refused: 'ECONNREFUSED',
  reset: 'ECONNRESET',
  unreachable: 'EHOSTUNREACH',
  timeout: 'ETIMEDOUT',
  'not-found': 'ENOTFOUND',
  denied: 'EACCES',
  closed: 'ECONNABORTED'
}

/** What `dial` and the clients of a connection fail with. */
export class DialError extends Error {
  override readonly name = 'DialError'
  readonly code: DialErrorCode

  constructor(code: DialErrorCode, message: string, cause: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** The same dialer, whose errors are DialErrors. */
export function withCodes(dialer: Dialer): Dialer {
  const coded = (host: string) => (error: unknown) => {
    const known = tunnelError(error, host)
    return Promise.reject(new DialError(CODES[known.reason], known.message, error))
  }
  return {
    dial: (host, port, signal) => dialer.dial(host, port, signal).catch(coded(host)),
    datagrams: (host, port, received, closed) => dialer.datagrams(host, port, received, closed).catch(coded(host))
  }
}
