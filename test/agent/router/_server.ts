// A server with one path for each thing that HTTP/1.1 can do.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer } from 'ws'

/** Of a body that is made, not held. */
const BLOCK = Buffer.alloc(65_536, 'kt')

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

const PATHS: Record<string, Handler> = {
  '/echo': async (request, response) => {
    const { bytes, hash } = await digest(request)
    const { method, url, rawHeaders, rawTrailers, httpVersion } = request
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify({ method, url, rawHeaders, rawTrailers, httpVersion, bytes, hash }))
  },
  '/bytes': async (request, response) => {
    const length = Number(new URL(request.url!, 'http://a').searchParams.get('length'))
    response.writeHead(200, { 'Content-Length': length })
    for (let left = length; left > 0; left -= BLOCK.length) {
      if (response.write(BLOCK.subarray(0, Math.min(left, BLOCK.length)))) continue
      const gone = await Promise.race([event(response, 'drain', false), event(response, 'close', true)])
      if (gone) return
    }
    response.end()
  },
  '/trailers': (_request, response) => {
    response.writeHead(200, { Trailer: 'Digest', 'X-CasE': ['1', '2'] })
    response.write('some')
    response.write('thing')
    response.addTrailers([
      ['Digest', 'abc'],
      ['X-Trailer', 'late']
    ])
    response.end()
  },
  '/early': (_request, response) => {
    response.writeHead(413, { Connection: 'close' })
    response.end('too much')
  },
  '/hints': (_request, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.end('hinted')
  },
  '/reset': request => {
    request.socket.resetAndDestroy()
  },
  '/hang-up': request => {
    request.socket.end()
  },
  '/reset-later': async (request, response) => {
    response.writeHead(200, { 'Content-Length': 100 })
    response.write('half')
    await sleep(50)
    request.socket.resetAndDestroy()
  },
  '/short': async (request, response) => {
    response.writeHead(200, { 'Content-Length': 100 })
    response.write('half')
    await sleep(50)
    request.socket.end()
  },
  '/events': async (request, response) => {
    const count = Number(new URL(request.url!, 'http://a').searchParams.get('count'))
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    for (let i = 0; i < count && !response.destroyed; i++) {
      response.write(`data: ${i}\n\n`)
      await sleep(20)
    }
    response.end()
  },
  '/nothing': (_request, response) => {
    response.writeHead(204).end()
  },
  '/unchanged': (_request, response) => {
    response.writeHead(304, { ETag: '"1"', 'Content-Length': 7 }).end()
  },
  '/until-close': (_request, response) => {
    response.useChunkedEncodingByDefault = false
    response.shouldKeepAlive = false
    response.end('all of it')
  },
  '/socket-stays': (_request, response) => {
    response.writeHead(200).write('.') // and never ends
  }
}

export interface TestServer {
  server: Server
  /** "METHOD /path", in the order in which they came. */
  requests: string[]
  /** Requests whose caller went before the answer was complete. */
  aborted: string[]
  sockets: Set<Socket>
}

export function testServer(): TestServer {
  const requests: string[] = []
  const aborted: string[] = []
  const sockets = new Set<Socket>()
  const handle: Handler = async (request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.once('close', () => {
      if (!response.writableFinished) aborted.push(`${request.method} ${request.url}`)
    })
    const path = new URL(request.url ?? '/', 'http://a').pathname
    response.setMaxListeners(0)
    const handler = PATHS[path]
    if (handler === undefined) response.writeHead(404).end()
    else await handler(request, response)
  }
  const server = createServer({ maxHeaderSize: 200_000 }, (request, response) => void handle(request, response))
  server.on('connection', socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('checkContinue', (request, response: ServerResponse) => {
    if (request.url === '/refused') {
      requests.push('refused')
      response.writeHead(417, { Connection: 'close' }).end()
      return
    }
    response.writeContinue()
    void handle(request, response)
  })
  server.on('connect', (_request, socket: Socket, head: Buffer) => {
    socket.write('HTTP/1.1 200 Connected\r\n\r\n')
    socket.write(head)
    socket.pipe(socket)
  })
  const webSockets = new WebSocketServer({ server, path: '/socket' })
  webSockets.on('connection', socket => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  return { server, requests, aborted, sockets }
}

async function digest(request: IncomingMessage): Promise<{ bytes: number; hash: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, hash: hash.digest('hex') }
}

function event<T>(response: ServerResponse, name: string, value: T): Promise<T> {
  return new Promise(resolve => response.once(name, () => resolve(value)))
}
