// One of several processes on this computer at a time: the kernel gives it away, and takes it back when its holder dies.
import { createServer } from 'node:net'

/**
 * Take the lease of this name. The result gives it back; undefined: another process has it. An abstract Unix socket (unix(7)) belongs to one
 * network namespace, as what is changed on a laptop does; where there are none, everybody gets it.
 */
export function takeLease(name: string): Promise<(() => Promise<void>) | undefined> {
  if (process.platform !== 'linux') return Promise.resolve(async () => {})
  const server = createServer(socket => socket.destroy())
  return new Promise(resolve => {
    // A computer that allows no such socket is as one that has none.
    server.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'EADDRINUSE' ? undefined : async () => {})
    )
    server.listen(`\0kt-${name}`, () => {
      server.unref()
      resolve(() => new Promise<void>(closed => void server.close(() => closed())))
    })
  })
}
