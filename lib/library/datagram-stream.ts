// A UDP flow as a Duplex in object mode: a chunk is a datagram.
import { Duplex } from 'node:stream'
import type { Dialer } from '../proxy/dialer.ts'
import { DialError } from './dial-error.ts'

/** Datagrams that wait to be read; what comes behind them is dropped, as UDP may. */
const MAX_WAITING = 256

/** Ends when the far side has been silent for long; a refusal is an error. Rejects with a DialError. */
export async function datagramStream(dialer: Dialer, host: string, port: number): Promise<Duplex> {
  const stream = new Duplex({
    objectMode: true,
    readableHighWaterMark: MAX_WAITING,
    read() {},
    write(bytes: Uint8Array | string, encoding, callback) {
      far.send(typeof bytes === 'string' ? Buffer.from(bytes, encoding) : bytes)
      callback()
    },
    destroy(error, callback) {
      far.close()
      callback(error)
    }
  })
  const far = await dialer.datagrams(
    host,
    port,
    bytes => {
      if (stream.readableLength < MAX_WAITING) stream.push(Buffer.from(bytes))
    },
    reason => {
      if (reason === 'idle') stream.push(null)
      else
        stream.destroy(
          new DialError(reason === 'refused' ? 'ECONNREFUSED' : 'ECONNRESET', `${host}:${port}: ${reason}`, undefined)
        )
    }
  )
  return stream
}
