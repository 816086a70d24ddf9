// Datagrams of given sizes to a UDP echo server, all of them from one socket; tells which came back unchanged.
// node udp.peer.ts HOST PORT SIZE...

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

const [host = '', port = '', ...sizes] = process.argv.slice(2)
/** UDP may lose a datagram on a real network: each may be sent this often. */
const ATTEMPTS = 3
const WAIT_MS = 2000

const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
socket.connect(Number(port), host) // only what comes from this address and port is received
await once(socket, 'connect')
const results: { size: number; outcome: string; ms: number }[] = []
for (const size of sizes.map(Number)) results.push(await exchange(size))
socket.close()
process.stdout.write(`${JSON.stringify(results)}\n`)

async function exchange(size: number): Promise<{ size: number; outcome: string; ms: number }> {
  const bytes = randomBytes(size)
  let outcome = 'lost'
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const began = performance.now()
    outcome = await new Promise<string>(resolve => {
      const done = (text: string): void => {
        clearTimeout(limit)
        socket.removeAllListeners('message').removeAllListeners('error')
        resolve(text)
      }
      const limit = setTimeout(() => done('lost'), WAIT_MS)
      socket.on('message', answer => done(answer.equals(bytes) ? 'echoed' : `${answer.length} other bytes`))
      socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
      socket.send(bytes)
    })
    if (outcome !== 'lost') return { size, outcome, ms: performance.now() - began }
  }
  return { size, outcome, ms: Number.NaN }
}
