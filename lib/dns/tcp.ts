// DNS over TCP, RFC 7766: messages with two bytes of length in front.
import type { Duplex } from 'node:stream'

/** Questions of one connection under way; then reading stops until one is answered. */
const IN_FLIGHT_MAX = 64
/** A connection on which nothing is asked for so long is closed (RFC 7766 §6.2.3: a few seconds). */
const IDLE_MS = 10_000
/** Bytes of the length in front of a message. */
const LENGTH_BYTES = 2

/** The message with its length in front. */
export function frame(message: Uint8Array): Uint8Array {
  const framed = Buffer.alloc(LENGTH_BYTES + message.length)
  framed.writeUInt16BE(message.length)
  framed.set(message, LENGTH_BYTES)
  return framed
}

/** Bytes in any chunking → messages. Holds at most one message of 64 KiB and what came with its last chunk. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  /** The messages that are complete now; the bytes are the caller's own. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const messages: Uint8Array[] = []
    while (this.#rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#rest.readUInt16BE(0)
      if (this.#rest.length < end) break
      messages.push(Uint8Array.from(this.#rest.subarray(LENGTH_BYTES, end)))
      this.#rest = this.#rest.subarray(end)
    }
    return messages
  }
}

/** What `serveTcp` asks. */
export interface Answerer {
  /** Undefined: this is not answered. */
  answer(message: Uint8Array, transport: 'tcp'): Promise<Uint8Array | undefined>
}

/** Answer what comes over a connection until its peer closes it or is silent for too long. Answers leave in the order they are ready. */
export function serveTcp(connection: Duplex, resolver: Answerer): void {
  const reader = new FrameReader()
  let inFlight = 0
  let ended = false
  const idle = setTimeout(() => connection.destroy(), IDLE_MS)
  const turn = (): void => {
    if (ended && inFlight === 0) connection.end()
    else if (inFlight < IN_FLIGHT_MAX && !connection.writableNeedDrain) connection.resume()
  }
  const serve = (message: Uint8Array): void => {
    inFlight++
    resolver
      .answer(message, 'tcp')
      .then(
        answer => {
          if (answer !== undefined && connection.writable) connection.write(frame(answer))
        },
        () => connection.destroy()
      )
      .finally(() => {
        inFlight--
        turn()
      })
  }
  connection.on('data', (chunk: Uint8Array) => {
    idle.refresh()
    for (const message of reader.push(chunk)) serve(message)
    if (inFlight >= IN_FLIGHT_MAX || connection.writableNeedDrain) connection.pause()
  })
  connection.on('drain', turn)
  connection.on('end', () => {
    ended = true
    turn()
  })
  connection.on('error', () => connection.destroy()) // the peer is gone: there is nobody to tell
  connection.on('close', () => clearTimeout(idle))
}
