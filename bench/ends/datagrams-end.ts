// A program of its own, in a namespace: sends datagrams of some size into the TUN as fast as it can, for some time.
// Messages: { ms, bytes }. Says 'ready', then 'done' after each.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { CLUSTER } from '../../test/_support/laptop.ts'

/** Datagrams between two turns of the event loop. */
const BURST = 64

const socket = createSocket('udp4')
socket.connect(9, CLUSTER[4])
await once(socket, 'connect')
process.on('disconnect', () => process.exit())
process.on('message', ({ ms, bytes }: { ms: number; bytes: number }) => {
  const datagram = Buffer.alloc(bytes, 'k')
  const until = performance.now() + ms
  const send = (): void => {
    for (let i = 1; i < BURST; i++) socket.send(datagram, () => {}) // a full queue loses it, as it should
    socket.send(datagram, () => {
      if (performance.now() < until) setImmediate(send)
      else process.send?.('done')
    })
  }
  send()
})
process.send?.('ready')
