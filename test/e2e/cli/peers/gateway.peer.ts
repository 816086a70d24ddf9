// A gateway before the API server as badly kept ones are: it drops `Upgrade`, and its clock is ten minutes ahead. Arguments: file with the
// server's address and the client's certificate as JSON. Prints the port where it listens on loopback.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'

interface Way {
  server: string
  ca: string
  cert: string
  key: string
}

const AHEAD_MS = 600_000
const { server, ca, cert, key } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Way
const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64')
const agent = new Agent({ ca: bytes(ca), cert: bytes(cert), key: bytes(key) })

const gateway = createServer((q, s) => {
  const { connection: _connection, upgrade: _upgrade, host: _host, ...headers } = q.headers
  const ahead = request(new URL(q.url ?? '/', server), { method: q.method, headers, agent }, answer => {
    const date = new Date(Date.now() + AHEAD_MS).toUTCString()
    s.writeHead(answer.statusCode ?? 502, { ...answer.headers, date })
    answer.pipe(s)
  })
  ahead.on('error', () => s.destroy())
  s.on('close', () => ahead.destroy())
  q.pipe(ahead)
})
gateway.on('upgrade', (q, socket) => {
  const { host: _host, connection: _connection, upgrade: _upgrade, ...headers } = q.headers
  const ahead = request(new URL(q.url ?? '/', server), { headers, agent }, answer => {
    socket.write(`HTTP/1.1 ${answer.statusCode} OK\r\nconnection: close\r\n\r\n`)
    answer.pipe(socket)
  })
  ahead.on('error', () => socket.destroy())
  ahead.end()
})
gateway.listen(0, '127.0.0.1', () => process.stdout.write(`${(gateway.address() as AddressInfo).port}\n`))
