// One port, every kind of proxy: the first byte tells whether a client speaks SOCKS 4, SOCKS 5 or HTTP.
import type { Socket } from 'node:net'
import type { Dialer } from './dialer.ts'
import { httpProxy } from './http-proxy.ts'
import { SOCKS4, SOCKS5 } from './socks.ts'
import { serveSocks } from './socks-server.ts'

export interface ProxyServerOptions {
  dialer: Dialer
  /** The text of the proxy auto-configuration, for a browser that has reached us as `host`. */
  pac(host: string): string
}

/** A client that has said nothing by then is disconnected, ms: browsers open connections ahead of need. */
const FIRST_BYTE_MS = 120_000

export interface ProxyServer {
  /** Serve a socket on which nothing has been read yet and which has a listener for 'error'. */
  accept(socket: Socket): void
  /** Disconnect all clients. */
  close(): void
}

/** It is given its sockets; listening is its caller's. */
export function proxyServer({ dialer, pac }: ProxyServerOptions): ProxyServer {
  const http = httpProxy({ dialer, pac })
  const sockets = new Set<Socket>()
  return {
    accept(socket) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      const silent = setTimeout(() => socket.destroy(), FIRST_BYTE_MS)
      socket.once('close', () => clearTimeout(silent))
      socket.once('readable', () => {
        clearTimeout(silent)
        const bytes = socket.read() as Buffer | null
        if (bytes === null) {
          socket.end()
          return
        }
        socket.unshift(bytes)
        if (bytes[0] === SOCKS4 || bytes[0] === SOCKS5) void serveSocks(socket, dialer)
        else http.emit('connection', socket)
      })
    },
    close() {
      http.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
