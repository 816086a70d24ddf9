// `v4.channel.k8s.io`: every message begins with the number of a channel. Its frames travel as they are to the container runtime,
// whose WebSocket unmasks an upload byte by byte. The API client's PortForward has no backpressure (723 MB of memory against a slow
// reader) and loses closes.
import type { Line } from '../api/dial.ts'
import { CarrierStream } from './carrier-stream.ts'
import { webSocket } from './framing.ts'

/** Channels of the first port: 2n carries its bytes, 2n+1 the runtime's complaint. */
const DATA_CHANNEL = 0
const ERROR_CHANNEL = 1
/** Each channel begins with the port number, little-endian, which is no data. */
const PREAMBLE_BYTES = 2

export class ChannelCarrier extends CarrierStream {
  #channel = -1
  /** Preamble bytes still to be skipped, per channel. */
  readonly #preamble = [PREAMBLE_BYTES, PREAMBLE_BYTES]

  constructor(socket: Line, target: { pod: string; port: number }) {
    super(socket, target, webSocket)
  }

  protected override headers(length: number): Uint8Array {
    const header = this.framing.header(length + 1, 1)
    header[header.length - 1] = DATA_CHANNEL
    return header
  }

  protected override message(bytes: Uint8Array, first: boolean): void {
    let at = 0
    if (first) this.#channel = bytes[at++]!
    const skip = Math.min(this.#preamble[this.#channel] ?? 0, bytes.length - at)
    if (skip > 0) this.#preamble[this.#channel]! -= skip
    at += skip
    if (at === bytes.length) return
    // Other channels are not ours: ignored, as the server ignores them.
    if (this.#channel === DATA_CHANNEL) this.deliver(bytes.subarray(at))
    else if (this.#channel === ERROR_CHANNEL) this.complaint(bytes.subarray(at))
  }
}
