// The local program of the exchange tests: says "local" on HTTP (arguments 1), TCP (2) and UDP (3), in front of what it was told.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'

const [http = 0, tcp = 0, udp = 0] = process.argv.slice(2).map(Number)

createTcpServer({ allowHalfOpen: true }, socket => {
  socket.on('error', () => {})
  socket.write('local ')
  socket.pipe(socket)
}).listen(tcp)
const datagrams = createSocket('udp4')
datagrams.on('message', (bytes, { port, address }) => {
  datagrams.send(Buffer.concat([Buffer.from('local '), bytes]), port, address)
})
datagrams.bind(udp)
createServer((request, response) => {
  response.end(`local ${request.url}\n`)
}).listen(http, () => process.stdout.write('ready\n'))
