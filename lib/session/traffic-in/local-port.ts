// A port of this computer, on loopback, whose connections go somewhere else.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { KtError } from '../../errors.ts'

/** Bytes that may wait in a socket: one DATA frame and the next. */
const SOCKET_BYTES = 131_072
/** Connections of one port at a time: half of the streams of a session. */
const MAX_CONNECTIONS = 4_096

export interface LocalPortOptions {
  /** In place of loopback. */
  address?: string | undefined
  /** What to do when the port cannot be had. */
  hint?: string
}

/**
 * Listen on 127.0.0.1, and on ::1 where there is IPv6, or on the one address that is asked for; the result ends it. Throws KT_USAGE when
 * the port cannot be had.
 */
export async function listenLocally(
  port: number,
  onSocket: (socket: Socket) => void,
  { address, hint = `choose another one: ${port < 1024 ? port + 8000 : port + 1}:REMOTE` }: LocalPortOptions = {}
): Promise<() => void> {
  const servers = [await listen(address ?? '127.0.0.1', port, hint, onSocket)]
  try {
    if (address === undefined) servers.push(await listen('::1', port, hint, onSocket))
  } catch (error) {
    if (!(error instanceof KtError) || !isWithoutFamily(error.cause)) {
      for (const server of servers) server.close()
      throw error
    }
  }
  return () => {
    for (const server of servers) server.close()
  }
}

async function listen(host: string, port: number, hint: string, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, ...{ highWaterMark: SOCKET_BYTES } },
    (socket: Socket) => {
      socket.on('error', () => {})
      onSocket(socket)
    }
  )
  server.maxConnections = MAX_CONNECTIONS
  try {
    await once(server.listen({ host, port }), 'listening')
    return server
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'is taken' : code === 'EACCES' ? 'needs root' : `cannot be had (${code})`
    throw new KtError('KT_USAGE', `port ${port} of this computer ${why}`, { hint, cause })
  }
}

function isWithoutFamily(error: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')
}
