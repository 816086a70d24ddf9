// The service sockets: one way of using TCP on each port.
//   7001 digest   answers only after the client's FIN: "BYTES SHA256\n"
//   7002 reset    resets the connection on the first byte
//   7003 silent   reads everything and never answers
//   7004 stalled  accepts and never reads
//   7005 greeting says "hello\n", sends its FIN at once and goes on reading; what it read is in the log
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'

function listen(port, connected, options = {}) {
  const server = createServer({ allowHalfOpen: true, ...options }, socket => {
    socket.on('error', () => {})
    connected(socket)
  })
  server.listen(port, () => console.log('tcp', port))
}

listen(7001, socket => {
  const hash = createHash('sha256')
  let bytes = 0
  socket.on('data', chunk => {
    bytes += chunk.length
    hash.update(chunk)
  })
  socket.on('end', () => socket.end(`${bytes} ${hash.digest('hex')}\n`))
})
listen(7002, socket => socket.once('data', () => socket.resetAndDestroy()))
listen(7003, socket => socket.resume().on('end', () => socket.end()))
listen(7004, () => {}, { pauseOnConnect: true })
listen(7005, socket => {
  let bytes = 0
  socket.on('data', chunk => {
    bytes += chunk.length
  })
  socket.on('end', () => console.log('greeting read', bytes))
  socket.end('hello\n')
})

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0))
