// The control socket of a running session: HTTP over a Unix socket that only its owner may open; on Windows over a named pipe, which others
// may open for reading alone, and so cannot ask (learn.microsoft.com: "Named Pipe Security and Access Rights").
import { chmodSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { createServer, request } from '../http.ts'

/** What a running session can be asked for. */
export interface Control {
  /** A JSON value: the truth of this moment. */
  status(): unknown
  /** Who answers a name, and why; undefined when it cannot be asked for. */
  explain(name: string, type: string): Promise<unknown>
  /** Write a capture of what goes through to `write` until the result is called; undefined: there is nothing to capture. Throws KtError. */
  capture(filter: string, write: (bytes: Uint8Array) => boolean): (() => void) | undefined
  /** Serve the dashboard, at `port` or, with 0, at any that is free; how it is reached. Rejects with a KtError. */
  dashboard(port: number): Promise<unknown>
  /** Begin to stop; the process ends when everything is put back. */
  stop(): void
  /** A line to another session, which is the callee's to read and to close; without it there is none. */
  neighbour?(socket: Duplex): void
}

/** Where Windows has its named pipes. */
export const PIPES = '\\\\.\\pipe\\'
/** Answers longer than this are not ours. */
const ANSWER_MAX_BYTES = 1 << 20
const ANSWER_LIMIT_MS = 5_000
/** Programs of the owner that ask or capture at a time: far more than there are. */
const MAX_CONNECTIONS = 64
/** What waits for the reader of a capture: a second of a fast connection. */
const CAPTURE_BACKLOG_BYTES = 128 * 1024 * 1024
/** What a control connection becomes for another session: lines of JSON both ways. */
const NEIGHBOUR = 'kt-neighbour'

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
    } else if (q.method === 'POST' && q.url?.startsWith('/dashboard?')) {
      const port = Number(new URLSearchParams(q.url.slice('/dashboard?'.length)).get('port'))
      control.dashboard(port).then(
        found => answer(200, found),
        (error: Error) => answer(500, { error: error.message })
      )
    } else if (q.method === 'GET' && q.url?.startsWith('/capture?')) {
      sendCapture(control, new URLSearchParams(q.url.slice('/capture?'.length)).get('filter') ?? '', s, answer)
    } else {
      answer(404, { error: 'unknown' })
    }
  })
  server.on('upgrade', (q, socket) => {
    if (q.headers.upgrade !== NEIGHBOUR || control.neighbour === undefined) return socket.destroy()
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${NEIGHBOUR}\r\n\r\n`)
    control.neighbour(socket)
  })
  server.maxConnections = MAX_CONNECTIONS
  const isFile = !isPipe(path)
  if (isFile) rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  if (isFile) chmodSync(path, 0o600) // until here its directory, 0700, keeps others out
  server.unref()
  return () => {
    server.close()
    server.closeAllConnections()
  }
}

/** True for the name of a pipe of Windows, which is no file and goes with its process. */
export function isPipe(path: string): boolean {
  return path.startsWith(PIPES)
}

/** A capture as the body of an answer that ends with its reader. A reader who is too slow loses packets. */
function sendCapture(
  control: Control,
  filter: string,
  s: ServerResponse,
  answer: (code: number, body: unknown) => void
): void {
  try {
    const stop = control.capture(filter, bytes => {
      if (s.writableLength > CAPTURE_BACKLOG_BYTES) return false
      s.write(bytes.slice())
      return true
    })
    if (stop === undefined) answer(409, { error: 'this kt has no network device' })
    else s.on('close', stop)
  } catch (error) {
    answer(400, { error: error instanceof Error ? error.message : String(error) })
  }
}

/** Begin a capture; the answer's body is the file. Rejects with what the session says against it. */
export function openCapture(path: string, filter: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const what = `/capture?${new URLSearchParams({ filter })}`
    const q = request({ socketPath: path, method: 'GET', path: what }, s => {
      if (s.statusCode === 200) return resolve(s)
      let text = ''
      s.setEncoding('utf8')
      s.on('data', (part: string) => {
        text += part
      })
      s.on('end', () => reject(new Error((JSON.parse(text) as { error: string }).error)))
    })
    q.on('error', reject)
    q.end()
  })
}

/** A line to the session behind `path`. Rejects when it has none to give, or nobody answers within `limitMs`. */
export function openNeighbour(path: string, limitMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'Upgrade', upgrade: NEIGHBOUR }
    const q = request({ socketPath: path, path: '/neighbour', headers, timeout: limitMs })
    q.on('upgrade', (_, socket, head) => {
      socket.setTimeout(0)
      socket.unshift(head)
      resolve(socket)
    })
    q.on('response', s => {
      s.resume()
      reject(new Error('it speaks to no other session'))
    })
    q.on('timeout', () => q.destroy(new Error('no answer')))
    q.on('error', reject)
    q.end()
  })
}

/** Ask the session behind `path`. Rejects when nobody answers in time. */
export function askControl(
  path: string,
  method: 'GET' | 'POST',
  what: '/status' | '/stop' | `/dns?${string}` | `/dashboard?${string}`,
  limitMs: number = ANSWER_LIMIT_MS
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const q = request({ socketPath: path, method, path: what, timeout: limitMs }, s => {
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
