// Asks for a lot and never reads it; says `stalled` when nothing more fits, and stays until its input ends.
// node stalled.peer.ts HOST PORT PATH
import { connect } from 'node:net'

const [host = '', port = '', path = '/'] = process.argv.slice(2)
const socket = connect({ host, port: Number(port) })
socket.on('connect', () => {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  process.stdout.write('connected\n')
})
socket.on('error', (error: NodeJS.ErrnoException) => process.stdout.write(`${error.code ?? error.message}\n`))
socket.pause()
process.stdin.resume().on('end', () => socket.destroy())
