// Programs of the laptop that the shell is to reach as without kt: TCP and UDP at an address that is not loopback, TCP on loopback.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'

const own = Object.values(networkInterfaces())
  .flat()
  .find(each => each?.family === 'IPv4' && !each.internal)!.address
const said = new Map([
  [own, 'outside'],
  ['127.0.0.1', 'loopback']
])
for (const [host, text] of said) {
  createServer(socket => socket.end(`HTTP/1.0 200 OK\r\n\r\n${text}`).resume())
    .on('error', error => console.error(error))
    .listen(18_080, host)
}
const udp = createSocket('udp4')
udp.on('message', (bytes, from) => udp.send(bytes, from.port, from.address))
udp.bind(18_081, own, () => console.log(own))
