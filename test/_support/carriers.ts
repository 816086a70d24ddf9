// Carriers for two sessions in one process: as they should be, and with the chunks cut up.
import { Duplex, duplexPair, Transform } from 'node:stream'

/** A pair that delivers each write as it is. */
export function plainPair(): [Duplex, Duplex] {
  return duplexPair({ highWaterMark: 65_536 })
}

/** A pair that delivers bytes in pieces of the sizes `next` gives, later than they were written, and never more than `highWaterMark` ahead. */
export function choppyPair(next: () => number, highWaterMark = 16_384): [Duplex, Duplex] {
  const there = chopper(next, highWaterMark)
  const back = chopper(next, highWaterMark)
  return [Duplex.from({ writable: there, readable: back }), Duplex.from({ writable: back, readable: there })]
}

function chopper(next: () => number, highWaterMark: number): Transform {
  return new Transform({
    highWaterMark,
    transform(chunk: Buffer, _encoding, callback) {
      setImmediate(() => {
        for (let at = 0; at < chunk.length; ) {
          const end = Math.min(chunk.length, at + Math.max(1, next()))
          this.push(Buffer.from(chunk.subarray(at, end)))
          at = end
        }
        callback()
      })
    }
  })
}
