// The application of the bench: plain sockets of the kernel, in a process of their own.
import net from 'node:net'
import { serveCalls } from '../../test/_support/netns.ts'

const CHUNK = Buffer.alloc(256 * 1024, 'kt')

serveCalls({
  /** Write to or read from `flows` connections for `ms`; the bytes and how long it took. */
  async transfer(direction: 'up' | 'down', host: string, port: number, flows: number, ms: number) {
    let bytes = 0
    const begin = performance.now()
    const sockets = Array.from({ length: flows }, () => {
      const socket = net.connect({
        host,
        port,
        ...(direction === 'down' && {
          onread: {
            buffer: Buffer.alloc(256 * 1024),
            callback(length: number) {
              bytes += length
              return true
            }
          }
        })
      } as net.NetConnectOpts)
      socket.on('error', () => {})
      if (direction === 'up') {
        const send = (): void => {
          do bytes += CHUNK.length
          while (socket.write(CHUNK))
        }
        socket.on('connect', send)
        socket.on('drain', send)
      }
      return socket
    })
    await new Promise(resolve => setTimeout(resolve, ms))
    for (const socket of sockets) socket.resetAndDestroy()
    return { bytes, seconds: (performance.now() - begin) / 1000 }
  }
})
