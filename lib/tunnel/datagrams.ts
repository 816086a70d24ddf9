// spec.md, "Datagrams": UDP over a stream, boundaries kept, dropped rather than delayed.
import type { Duplex } from 'node:stream'

/** Largest UDP payload over IPv4, bytes; what IPv6 could do more nobody sends. */
export const MAX_DATAGRAM = 65_507
/** Beyond this a datagram is dropped, bytes: a quarter of a second at 8 Mbit/s, or four of the largest. */
export const MAX_QUEUED_BYTES = 262_144

/** Write one datagram. False: dropped, because too much waits already, or because it is too long. Copies nothing. */
export function sendDatagram(stream: Duplex & { readonly queuedBytes?: number }, bytes: Uint8Array): boolean {
  const waiting = stream.writableLength + (stream.queuedBytes ?? 0)
  if (bytes.length > MAX_DATAGRAM || !stream.writable || waiting > MAX_QUEUED_BYTES) return false
  const framed = Buffer.allocUnsafe(2 + bytes.length)
  framed.writeUInt16BE(bytes.length, 0)
  framed.set(bytes, 2)
  stream.write(framed)
  return true
}

/** Bytes in any chunking → datagrams. */
export class DatagramDecoder {
  readonly #received: (bytes: Uint8Array) => void
  #rest: Uint8Array = new Uint8Array(0)

  /** `received` may keep the bytes. */
  constructor(received: (bytes: Uint8Array) => void) {
    this.#received = received
  }

  /** False: a length that no datagram has; the stream is of no use any more. */
  push(chunk: Uint8Array): boolean {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (bytes.length >= 2) {
      const length = (bytes[0]! << 8) | bytes[1]!
      if (length > MAX_DATAGRAM) return false
      if (bytes.length < 2 + length) break
      this.#received(bytes.subarray(2, 2 + length))
      bytes = bytes.subarray(2 + length)
    }
    // At most one datagram; a copy, so that it does not keep a carrier's buffer alive.
    this.#rest = bytes.length === 0 ? bytes : Uint8Array.from(bytes)
    return true
  }
}
