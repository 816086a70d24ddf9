// The control socket of a running session: HTTP over a Unix socket that only its owner may open.
import { chmodSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'

/** What a running session can be asked for. */
export interface Control {
  /** A JSON value: the truth of this moment. */
  status(): unknown
  /** Who answers a name, and why; undefined when it cannot be asked for. */
  explain(name: string, type: string): Promise<unknown>
  /** Begin to stop; the process ends when everything is put back. */
  stop(): void
}

/** Answers longer than this are not ours. */
const ANSWER_MAX_BYTES = 1 << 20
const ANSWER_LIMIT_MS = 5_000

/** Serve `control` on `path`; the result closes it. */
export async function serveControl(path: string, control: Control): Promise<() => void> {
  const server = createServer((q, s) => {
    q.resume()
    const answer = (code: number, body: unknown): void => {
      s.writeHead(code, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body))
    }
    if (q.method === 'GET' && q.url === '/status') {
      answer(200, control.status())
    } else if (q.method === 'POST' && q.url === '/stop') {
      answer(202, {})
      control.stop()
    } else if (q.method === 'GET' && q.url?.startsWith('/dns?')) {
      const asked = new URLSearchParams(q.url.slice('/dns?'.length))
      control.explain(asked.get('name') ?? '', asked.get('type') ?? 'A').then(
        found => (found === undefined ? answer(400, { error: 'no such name or type' }) : answer(200, found)),
        (error: Error) => answer(500, { error: error.message })
      )
    } else {
      answer(404, { error: 'unknown' })
    }
  })
  rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o600) // until here its directory, 0700, keeps others out
  server.unref()
  return () => {
    server.close()
    server.closeAllConnections()
  }
}

/** Ask the session behind `path`. Rejects when nobody answers in time. */
export function askControl(
  path: string,
  method: 'GET' | 'POST',
  what: '/status' | '/stop' | `/dns?${string}`
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const q = request({ socketPath: path, method, path: what, timeout: ANSWER_LIMIT_MS }, s => {
      let text = ''
      s.setEncoding('utf8')
      s.on('data', (part: string) => {
        text += part
        if (text.length > ANSWER_MAX_BYTES) q.destroy(new Error('answer too long'))
      })
      s.on('end', () => {
        try {
          resolve(JSON.parse(text))
        } catch (error) {
          reject(error)
        }
      })
    })
    q.on('timeout', () => q.destroy(new Error('no answer')))
    q.on('error', reject)
    q.end()
  })
}
