// Two byte streams into one conversation: half-close kept, a reset of one resets the other.
import type { Duplex } from 'node:stream'

/** A socket that can say RST, as `net.Socket` does. */
interface Resettable {
  resetAndDestroy(): unknown
}

/** A stream that can use the memory of its chunks again, as the connections of the stack and the streams of the mux can. */
interface Recycling {
  recycle(chunk: Uint8Array): void
}

/**
 * Join `a` and `b`; once one has called back a write it must not need the chunk any more, unless it `keepsChunks`, as the streams of
 * the mux do: then they are its own. FIN of one is `end()` of the other.
 * When one is destroyed before it has ended both ways, the other is reset: `resetAndDestroy()` where there is such a thing,
 * else `destroy` with the same error.
 */
export function join(a: Duplex, b: Duplex): void {
  flow(a, b)
  flow(b, a)
  // What has ended before nobody will tell.
  if (a.destroyed) abort(b, new Error('the other end is gone'))
  if (b.destroyed) abort(a, new Error('the other end is gone'))
}

/** End both directions of `duplex` at once, with RST where it is a socket. */
export function abort(duplex: Duplex, error: Error): void {
  if (duplex.destroyed) return
  if (!('resetAndDestroy' in duplex)) return void duplex.destroy(error)
  const socket = duplex as Duplex & Resettable
  if (!socket.writableEnded || socket.writableFinished) return void socket.resetAndDestroy()
  // Node loses a socket that it resets while its FIN is under way: EINVAL, no 'close', and the descriptor stays.
  return void socket.once('finish', () => setImmediate(() => socket.resetAndDestroy()))
}

function flow(from: Duplex, to: Duplex): void {
  let failure: Error | undefined
  const recycling = 'recycle' in from && !('keepsChunks' in to) ? (from as Duplex & Recycling) : undefined
  from.on('data', (bytes: Uint8Array) => {
    const written = (error?: Error | null) => {
      if (!error) recycling?.recycle(bytes)
    }
    if (!to.write(bytes, written)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  if (from.readableEnded) to.end() // a FIN that came while the other was still being dialled
  from.on('error', error => {
    failure = error
  })
  from.on('close', () => {
    if (!from.readableEnded || !from.writableFinished) abort(to, failure ?? new Error('the other end is gone'))
  })
}
