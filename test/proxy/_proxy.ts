// A proxy on loopback whose dialer knows names of its own, and targets behind it.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { DIRECT, type Dialer } from '../../lib/proxy/dialer.ts'
import { proxyServer } from '../../lib/proxy/server.ts'
import { TunnelError, type TunnelReason } from '../../lib/tunnel/tunnel.ts'

/** `web.demo` and `10.96.0.7` are this computer; `refused.test` fails with `refused`, and so on for every reason. */
function table(asked: string[]): Dialer {
  const addressOf = (host: string): string => {
    asked.push(host)
    const [reason = '', end] = host.split('.')
    if (end === 'test') throw new TunnelError(reason as TunnelReason, `${host}: as asked for`)
    return host === 'localhost' || host === '::1' ? host : '127.0.0.1'
  }
  return {
    dial: async (host, port, signal) => DIRECT.dial(addressOf(host), port, signal),
    datagrams: async (host, port, received, closed) => DIRECT.datagrams(addressOf(host), port, received, closed)
  }
}

/** Its port, and what its dialer was asked for. */
export async function startProxy(t: ExecutionContext): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = []
  const proxy = proxyServer({ dialer: table(asked), pac: host => `pac for ${host}` })
  const port = await listen(t, socket => proxy.accept(socket))
  t.teardown(() => proxy.close())
  return { port, asked }
}

/** A port of this computer with allowHalfOpen, until the test ends. */
export async function listen(
  t: ExecutionContext,
  onSocket: (socket: Socket) => void,
  host = '127.0.0.1'
): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  return listening(t, server, host)
}

/** The port of a server that is made to listen, until the test ends. */
export async function listening(t: ExecutionContext, server: Server, host = '127.0.0.1'): Promise<number> {
  await once(server.listen(0, host), 'listening')
  t.teardown(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** A port where nobody listens. */
export const CLOSED_PORT = 1
