// Runs in a pod: a server for every kind of request, HTTP/1 at 8080 and gRPC at 9090; or, with DIRECT and THROUGH, the client that
// asks both and prints a line of JSON for each kind.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { callGrpc, GRPC_ROWS, serveGrpc } from '../../../agent/router/_grpc.ts'
import { askHttp1, http1Rows } from '../../../agent/router/_http1-rows.ts'
import { testServer } from '../../../agent/router/_server.ts'

const [HTTP_PORT, GRPC_PORT] = [8080, 9090]
const { DIRECT, THROUGH, LARGE_BYTES = '33554432', MESSAGES = '2000', EVENTS = '50' } = process.env

if (DIRECT === undefined || THROUGH === undefined) await serve()
else await compare(DIRECT, THROUGH)

async function serve(): Promise<void> {
  testServer().server.listen(HTTP_PORT)
  await serveGrpc('pod', `0.0.0.0:${GRPC_PORT}`)
  process.on('SIGTERM', () => process.exit(0))
}

async function compare(direct: string, through: string): Promise<void> {
  const web: Record<string, (host: string) => Promise<unknown>> = {
    'WebSocket echo': webSocket,
    'server-sent events': events,
    'CL and TE': host =>
      say(host, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
  }
  for (const [name, row] of Object.entries(http1Rows(Number(LARGE_BYTES))))
    web[name] = host => askHttp1({ host, port: HTTP_PORT }, row)
  for (const [name, ask] of Object.entries(web)) tell(name, await ask(direct), await ask(through))
  const clients = [callGrpc(GRPC_PORT, direct), callGrpc(GRPC_PORT, through)] as const
  for (const [name, row] of Object.entries(GRPC_ROWS))
    tell(`gRPC: ${name}`, await row(clients[0]), await row(clients[1]))
  process.exit(0)
}

function tell(name: string, expected: unknown, told: unknown): void {
  const same = JSON.stringify(expected) === JSON.stringify(told)
  process.stdout.write(`${JSON.stringify(same ? { name, same } : { name, same, expected, told })}\n`)
}

async function webSocket(host: string): Promise<string> {
  const socket = new WebSocket(`ws://${host}:${HTTP_PORT}/socket`)
  await once(socket, 'open')
  const hash = createHash('sha256')
  const count = Number(MESSAGES)
  let heard = 0
  const done = new Promise<void>(resolve => {
    socket.on('message', data => {
      hash.update(String(data))
      heard += 1
      if (heard === count) resolve()
    })
  })
  for (let i = 0; i < count; i++) socket.send(`message ${i}`)
  await done
  socket.close()
  return hash.digest('hex')
}

/** 20 ms between them. */
async function events(host: string): Promise<string> {
  const [response] = (await once(get({ host, port: HTTP_PORT, path: `/events?count=${EVENTS}` }), 'response')) as [
    IncomingMessage
  ]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

async function say(host: string, text: string): Promise<string> {
  const socket = connect(HTTP_PORT, host)
  socket.write(text)
  let heard = ''
  socket.on('data', bytes => {
    heard += String(bytes)
  })
  await once(socket, 'close')
  return heard.split('\r\n', 1)[0] ?? ''
}
