// The agent in its router role: no session and no laptop, only a file of routes. lib/router/spec.md.
import { createServer } from 'node:http'
import { AGENT_PORT } from '../../lib/tunnel/request.ts'
import { Router } from './router.ts'
import { type Loaded, loadRoutes, watchRoutes } from './routes-file.ts'

export interface RouterRole {
  version: string
  log(line: string): void
  /** Say why and end the process. */
  fail(error: unknown): never
  /** Open the port where the kubelet's probe connects. */
  signReady(): { close(): void } | undefined
}

/** Run until SIGTERM. */
export async function runRouter({ version, log, fail, signReady }: RouterRole): Promise<void> {
  const path = process.env.KT_ROUTES ?? ''
  const first = attempt(() => loadRoutes(path), fail)
  const router = new Router(first, version)
  await router.listen().catch(fail)
  const status = createServer((_request, response) => {
    response.setHeader('Content-Type', 'application/json')
    response.end(`${JSON.stringify(router.status)}\n`)
  })
  const [port, host = '127.0.0.1'] = (process.env.KT_LISTEN ?? String(AGENT_PORT)).split(':').reverse()
  status.on('error', fail).listen(Number(port), host, () => {
    log(`ready ${(status.address() as { port: number }).port}`)
  })
  const unwatch = watchRoutes(path, first, {
    loaded(loaded: Loaded) {
      const problem = router.unchangeable(loaded.config)
      if (problem !== '') throw new Error(problem)
      router.load(loaded)
      log(`routes: ${loaded.config.routes.map(({ name }) => name).join(' ') || 'none'}`)
    },
    problem(text) {
      router.status.problem = text
      if (text !== '') log(`${path}: ${text}`)
    }
  })
  const readiness = signReady()
  const goodbye = async (): Promise<void> => {
    readiness?.close()
    await router.drain()
    unwatch()
    process.exit(0)
  }
  process.once('SIGTERM', () => void goodbye())
  process.once('SIGINT', () => void goodbye())
}

function attempt<T>(make: () => T, fail: (error: unknown) => never): T {
  try {
    return make()
  } catch (error) {
    return fail(error)
  }
}
