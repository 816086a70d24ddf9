// A cable between a client and a port of 127.0.0.1 that can be cut, and that can swallow everything.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Cable {
  port: number
  /** Connections made through it so far. */
  readonly used: number
  /** Break all connections that are there, as a reset does. */
  cut(): void
  /** From now on nothing passes, in either direction, and nobody is told; `open` ends that for new connections. */
  swallow(): void
  open(): void
  close(): void
}

export async function cableTo(port: number): Promise<Cable> {
  const sockets = new Set<Socket>()
  let swallowing = false
  let used = 0
  const server = createServer(near => {
    used += 1
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      let deaf = swallowing
      from.on('error', () => {})
      from.on('data', bytes => {
        deaf ||= swallowing
        if (!deaf && !to.write(bytes)) from.pause()
      })
      to.on('drain', () => from.resume())
      from.on('close', () => {
        sockets.delete(from)
        if (!deaf && !swallowing) to.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get used() {
      return used
    },
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    swallow: () => {
      swallowing = true
    },
    open: () => {
      swallowing = false
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
