// Round trips on one connection to an echo server: what a request on a connection that is there costs.
// node ping-pong.peer.ts HOST PORT COUNT

import { once } from 'node:events'
import { connect } from 'node:net'

const [host = '', port = '', count = '100'] = process.argv.slice(2)
const socket = connect({ host, port: Number(port), noDelay: true })
await once(socket, 'connect')
const roundTripsMs: number[] = []
for (let index = 0; index < Number(count); index += 1) {
  const sent = performance.now()
  socket.write('x')
  await once(socket, 'data')
  roundTripsMs.push(performance.now() - sent)
}
socket.destroy()
process.stdout.write(`${JSON.stringify(roundTripsMs)}\n`)
