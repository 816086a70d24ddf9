// The far end of every measurement. Runs in a pod as one bundled file on any Node ≥ 20: TCP for bytes, HTTP, UDP echo.
import { createSocket } from 'node:dgram'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { HTTP_PORT, TRAFFIC_PORT, UDP_PORT } from './ports.ts'
import { serve } from './serve.ts'

createServer({ noDelay: true }, serve).listen(TRAFFIC_PORT)

const http = createHttpServer((request, response) => {
  request.resume()
  response.setHeader('content-type', 'text/plain')
  response.end(`kt traffic server in pod ${hostname()}\n`)
})
http.keepAliveTimeout = 60_000
http.listen(HTTP_PORT)

const udp = createSocket('udp4')
udp.on('message', (message, from) => udp.send(message, from.port, from.address))
udp.bind(UDP_PORT)

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
