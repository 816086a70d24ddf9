// Reading in bulk: one buffer, and one chunk for each turn of the event loop.
import type { OnReadOpts, Socket } from 'node:net'

/** What one turn of the event loop may bring before it is handed on. */
const READ_BYTES = 128 * 1024
/** The longest piece that a read brings: a record of TLS. */
const RECORD_BYTES = 16 * 1024

/**
 * A socket, opened with the options it is given here, whose chunks are valid during their 'data' event only: they lie in one buffer,
 * as fresh memory for each read was a third of a download's CPU time. What comes in one turn of the event loop is one chunk or few, behind
 * which 'turn' is emitted: an API server sends 32 KiB as three records of TLS, each of which is a read.
 */
export function readByTurns<T extends Socket>(open: (onread: OnReadOpts) => T): T {
  // No chunk is all of the memory: what is, the carrier frees.
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES + 1).subarray(0, READ_BYTES)
  let from = 0
  let to = 0
  let turning = false
  const flowing = () => socket.readableFlowing === true && socket.readableLength === 0
  const handOn = () => {
    if (from === to) return
    const chunk = buffer.subarray(from, to)
    from = to // the next read has its place already
    if (flowing()) socket.emit('data', chunk)
    else socket.unshift(Buffer.from(chunk)) // paused meanwhile; `push` would be too late behind an end
  }
  const endTurn = () => {
    turning = false
    handOn()
    socket.emit('turn')
  }
  const socket = open({
    buffer: () => buffer.subarray(to),
    callback: length => {
      to += length
      let more = true
      if (!flowing()) {
        // What nobody takes at once must outlive the next read.
        more = socket.push(Buffer.from(buffer.subarray(from, to))) // false: read no more
        from = to
      } else if (READ_BYTES - to < RECORD_BYTES) handOn()
      if (!turning) setImmediate(endTurn)
      turning = true
      if (READ_BYTES - to < RECORD_BYTES) from = to = 0
      return more
    }
  })
  for (const last of ['end', 'error', 'close']) socket.on(last, handOn)
  return socket
}
