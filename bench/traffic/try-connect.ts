// What becomes of a connection attempt: connected, or the system's reason why not.
import { connect } from 'node:net'

export interface ConnectRequest {
  host: string
  port: number
}

export interface ConnectResult {
  /** Empty: connected. Else `ECONNREFUSED`, `EHOSTUNREACH` …, or `TIMEOUT`. */
  code: string
  ms: number
}

/** Longer than a refusal or an unreachable takes on any network; shorter than the kernel's own patience. */
const LIMIT_MS = 10_000

/** Connect, and close again. Never rejects. */
export function tryConnect({ host, port }: ConnectRequest): Promise<ConnectResult> {
  const began = performance.now()
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const done = (code: string): void => {
      socket.destroy()
      resolve({ code, ms: performance.now() - began })
    }
    socket.setTimeout(LIMIT_MS, () => done('TIMEOUT'))
    socket.once('connect', () => done(''))
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  })
}
