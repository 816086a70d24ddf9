// The service node-echo.
//   HTTP 8080: /            what was asked, by whom, which pod answers
//              /big?mb=N    N MiB of one letter         POST /sink    counts bytes
//              /random?mb=N&seed=S   N MiB of known bytes (random.mjs)
//              POST /upload    byte count and SHA-256 of the body
//              /slow?ms=N      answers after N ms
//              WebSocket at any path: echo
//   TCP 7000, UDP 7000: echo
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { hostname } from 'node:os'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { randomChunks } from './random.mjs'
import { echoWebSocket } from './websocket.mjs'

const pod = process.env.POD_NAME ?? hostname()
const version = process.env.VERSION ?? 'v1'
const LETTERS = Buffer.alloc(256 * 1024, 'a')
const CHUNKS_PER_MIB = 4

function* letters(mebibytes) {
  for (let left = mebibytes * CHUNKS_PER_MIB; left > 0; left--) yield LETTERS
}

const paths = {
  '/big': async (_request, response, query) => {
    const mebibytes = Number(query.get('mb') ?? 100)
    response.writeHead(200, { 'content-length': mebibytes * 2 ** 20 })
    await pipeline(Readable.from(letters(mebibytes), { highWaterMark: 2 }), response)
  },
  '/random': async (_request, response, query) => {
    const [mebibytes, seed] = [Number(query.get('mb') ?? 1), query.get('seed') ?? '0']
    response.writeHead(200, { 'content-length': mebibytes * 2 ** 20 })
    await pipeline(Readable.from(randomChunks(mebibytes, seed), { highWaterMark: 2 }), response)
  },
  '/sink': async (request, response) => {
    let bytes = 0
    for await (const chunk of request) bytes += chunk.length
    response.end(`${JSON.stringify({ pod, bytes })}\n`)
  },
  '/upload': async (request, response) => {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of request) {
      bytes += chunk.length
      hash.update(chunk)
    }
    response.end(`${JSON.stringify({ pod, bytes, sha256: hash.digest('hex') })}\n`)
  },
  '/slow': async (_request, response, query) => {
    await delay(Number(query.get('ms') ?? 1000))
    response.end(`${pod}\n`)
  }
}

async function describe(request, response) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const { method, url, headers } = request
  response.writeHead(200, { 'content-type': 'application/json', 'x-pod': pod })
  const body = Buffer.concat(chunks).toString()
  response.end(
    `${JSON.stringify({ pod, version, method, url, remote: request.socket.remoteAddress.replace('::ffff:', ''), headers, body })}\n`
  )
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://pod')
  const answer = paths[pathname] ?? describe
  answer(request, response, searchParams).catch(() => response.destroy())
})
server.on('upgrade', echoWebSocket)
server.listen(8080, () => console.log('http 8080', pod))

createTcpServer({ allowHalfOpen: true }, socket => {
  socket.on('error', () => {})
  socket.pipe(socket)
}).listen(7000)

const udp = createSocket('udp6') // takes both families
udp.on('message', (message, { port, address }) => udp.send(message, port, address))
udp.bind(7000)

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0))
