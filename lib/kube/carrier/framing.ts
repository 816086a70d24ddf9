// What lies between the connection and the messages of a port-forward: WebSocket frames, or nothing.
import { BINARY, CLOSE, clientHeader, controlFrame, FrameReader, PING, PONG } from './websocket.ts'

/** RFC 6455 §7.4.1: normal closure, 1000. */
const NORMAL = Uint8Array.of(3, 232)
const NOTHING = new Uint8Array(0)

/** What comes out of a framing. */
export interface FramingEvents {
  /** A part of a message, a view of the chunk that was pushed; `first` is true for the part that begins it. */
  message(bytes: Uint8Array, first: boolean): void
  /** A frame that is due in answer. */
  answer(frame: Uint8Array): void
  /** The cluster says that nothing more comes. */
  closed(): void
}

export interface Framing {
  /** Take the next bytes. Returns what is wrong with them, after which nothing more may be pushed. Never throws. */
  push(chunk: Uint8Array): string | undefined
  /** What stands before a message of `length` bytes, with `extra` bytes of room for the first of them. */
  header(length: number, extra?: number): Uint8Array
  /** What is said last. */
  readonly goodbye: Uint8Array
}

/** Messages are binary messages of a WebSocket, whose other end is in the API server or behind it. */
export function webSocket(events: FramingEvents): Framing {
  const reader = new FrameReader({
    data: (bytes, first) => events.message(bytes, first),
    control(opcode, payload) {
      if (opcode === PING) events.answer(controlFrame(PONG, payload))
      // The code is 1000 for everything, a killed pod included; only the complaint tells more.
      if (opcode === CLOSE) events.closed()
    }
  })
  return {
    push: chunk => reader.push(chunk),
    header: (length, extra) => clientHeader(BINARY, length, extra),
    goodbye: controlFrame(CLOSE, NORMAL)
  }
}

/** The connection itself carries them: the API server hands on every byte as it is. */
export function bare(events: FramingEvents): Framing {
  return {
    push(chunk) {
      events.message(chunk, false)
      return undefined
    },
    header: (_length, extra = 0) => Buffer.alloc(extra),
    goodbye: NOTHING
  }
}
