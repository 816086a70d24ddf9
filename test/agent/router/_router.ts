// A router of this process on loopback, and callers who say and hear exact bytes.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseRoutes, type Route } from '../../../lib/router/config.ts'
import type { RouterStatus } from '../../../lib/router/status.ts'
import { Router } from '../../../shadow-agent/router/router.ts'

export interface RunningRouter {
  port: number
  router: Router
  status: RouterStatus
  /** These routes from now on. */
  load(routes: Route[]): void
  /** Once the servers are closed. */
  close(): Promise<void>
}

/** By the header VERSION, to a port of 127.0.0.1. */
export function versionRoute(name: string, port: number, toPort: number, more: Partial<Route> = {}): Route {
  return {
    name,
    owner: 'ada@laptop',
    match: [{ header: 'VERSION', exact: name }],
    to: { host: '127.0.0.1', ports: { [port]: toPort } },
    mirror: false,
    ...more
  }
}

/** In front of the server at `original` on 127.0.0.1. */
export async function startRouter(
  original: number,
  routes: (port: number) => Route[] = () => []
): Promise<RunningRouter> {
  const port = await freePort()
  const base = { version: 1, service: 'shop', originals: '127.0.0.1', ports: [{ port, network: 'tcp', original }] }
  const config = parseRoutes(JSON.stringify({ ...base, routes: routes(port) }))
  const router = new Router({ config, digest: '' }, 'test')
  await router.listen()
  return {
    port,
    router,
    status: router.status,
    close: () => router.drain(0),
    load: changed =>
      router.load({ config: parseRoutes(JSON.stringify({ ...base, routes: changed })), digest: 'changed' })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

export async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return portOf(server)
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

/** How a connection ended. */
export interface Heard {
  text: string
  end: 'FIN' | 'RST' | 'open'
}

/** Say `parts` one after the other and hear what comes until the connection ends, or for `ms`. */
export async function say(port: number, parts: (string | Buffer)[], ms = 1_000, fin = false): Promise<Heard> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  const heard: Heard = { text: '', end: 'open' }
  socket.on('data', bytes => {
    heard.text += bytes.toString('latin1')
  })
  const ended = new Promise<void>(resolve => {
    socket.on('end', () => {
      heard.end = 'FIN'
      resolve()
    })
    socket.on('error', () => {
      heard.end = 'RST'
      resolve()
    })
  })
  for (const part of parts) {
    if (!socket.destroyed) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
    if (parts.length > 1) await sleep(20)
  }
  if (fin) socket.end()
  await Promise.race([ended, sleep(ms, undefined, { ref: false })])
  socket.destroy()
  return heard
}

/** Until `done` says so; fails after 3 s. */
export async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 3_000
  while (!done()) {
    if (performance.now() > deadline) throw new Error('it did not happen')
    await sleep(5)
  }
}

/** The next bytes that come. */
export async function nextBytes(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString('latin1')
}
