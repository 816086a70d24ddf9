// A program of its own: the traffic server behind a bare TLS socket and behind a mux session over one, on two ports.
// Says [bare, mux], its ports, to its parent.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { MuxSession } from '../../lib/mux/session.ts'
import { serve } from '../traffic/serve.ts'
import { PSK_OPTIONS, pskIdentity } from './psk.ts'

async function listen(accept: (socket: TLSSocket) => void): Promise<number> {
  const server = createServer(
    { ...PSK_OPTIONS, noDelay: true, pskCallback: (_, identity) => pskIdentity(identity) },
    accept
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const bare = await listen(serve)
const mux = await listen(socket => {
  socket.on('error', () => socket.destroy())
  new MuxSession(socket, { role: 'agent', onStream: serve })
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
process.on('message', () => process.send?.([bare, mux]))
