// Many flows at once, each sending and receiving its own bytes through an echo server; tells what came back and who waited.
// node flows.peer.ts HOST PORT FLOWS MIB
import { createCipheriv } from 'node:crypto'
import { connect } from 'node:net'

const [host = '', port = '', flows = '1', mib = '1'] = process.argv.slice(2)
const LENGTH = Number(mib) * 2 ** 20
const CHUNK = 65_536
/** A prime: no two flows send the same bytes at the same place. */
const SHIFT = 4099

interface Flow {
  received: number
  /** First byte that was not the one sent, or -1. */
  wrongAt: number
  ended: boolean
  error: string
  /** Longest time without a byte, the time until the first one included. */
  longestWaitMs: number
}

const size = LENGTH + SHIFT * Number(flows)
const bytes = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(Buffer.alloc(size))
const began = performance.now()
const results = await Promise.all(Array.from({ length: Number(flows) }, (_, index) => flow(index)))
const ms = performance.now() - began
process.stdout.write(`${JSON.stringify({ ms, flows: results })}\n`)

function flow(index: number): Promise<Flow> {
  const mine = bytes.subarray(index * SHIFT, index * SHIFT + LENGTH)
  const result: Flow = { received: 0, wrongAt: -1, ended: false, error: '', longestWaitMs: 0 }
  let last = performance.now()
  const waited = (): void => {
    const now = performance.now()
    result.longestWaitMs = Math.max(result.longestWaitMs, now - last)
    last = now
  }
  const socket = connect({ host, port: Number(port), allowHalfOpen: true })
  socket.on('connect', () => send(0))
  socket.on('data', chunk => {
    waited()
    const expected = mine.subarray(result.received, result.received + chunk.length)
    if (result.wrongAt < 0 && !chunk.equals(expected)) result.wrongAt = result.received
    result.received += chunk.length
  })
  socket.on('end', () => {
    waited()
    result.ended = true
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    result.error = error.code ?? error.message
  })
  const send = (from: number): void => {
    for (let at = from; at < LENGTH; at += CHUNK) {
      if (!socket.write(mine.subarray(at, at + CHUNK))) {
        socket.once('drain', () => send(at + CHUNK))
        return
      }
    }
    socket.end()
  }
  return new Promise(resolve => socket.on('close', () => resolve(result)))
}
