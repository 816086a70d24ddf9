// Opens connections, and resets them when its input ends: the way a program that is killed with unread data leaves.
// node reset.peer.ts HOST PORT COUNT

import { once } from 'node:events'
import { connect } from 'node:net'

const [host = '', port = '', count = '1'] = process.argv.slice(2)
const sockets = Array.from({ length: Number(count) }, () => connect({ host, port: Number(port) }))
await Promise.all(
  sockets.map(async socket => {
    await once(socket, 'connect')
    socket.write('something that nobody reads')
  })
)
process.stdout.write('connected\n')
process.stdin.resume().on('end', () => {
  for (const socket of sockets) socket.resetAndDestroy()
})
