// A channel of ssh2 as a Duplex like any other: half-close, an end that can be seen, and backpressure as far as the connection below.
import { Duplex } from 'node:stream'
import type { Channel } from 'ssh2'

/** What may wait in the connection below all channels: ssh2 itself writes whatever the windows allow, 2 MiB for each channel. */
const BELOW_BYTES = 256 * 1024
/** Between a channel and who reads it; the channel's own window holds more. */
const HIGH_WATER_BYTES = 128 * 1024

export class ChannelStream extends Duplex {
  readonly #channel: Channel
  readonly #below: Duplex
  /** The peer has said all. */
  #ended: boolean = false
  /** The peer will read no more. */
  #gone: boolean = false
  #waiting: ((error?: Error) => void) | undefined

  /** `below` is what the ssh connection runs over. From here on the channel belongs to this. */
  constructor(channel: Channel, below: Duplex) {
    super({ highWaterMark: HIGH_WATER_BYTES })
    this.#channel = channel
    this.#below = below
    // ssh2's servers close a channel with the end of their own side; the other one may still have something to say (RFC 4254 §5.3).
    Object.assign(channel, { server: false })
    channel.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) channel.pause()
    })
    channel.on('end', () => {
      this.#ended = true
      this.push(null)
    })
    channel.on('error', (error: Error) => this.destroy(error))
    // What has come may still be read. Who has not said all by then talks to nobody.
    channel.on('close', () => {
      this.#gone = true
      this.#settle(closed())
      if (this.readableEnded) this.#conclude()
      else this.once('end', () => this.#conclude())
    })
    below.on('drain', this.#drained)
    below.on('close', this.#lost) // ssh2 makes an ordinary end of that
  }

  override _read(): void {
    this.#channel.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#waiting = done
    if (this.#gone) this.#settle(closed())
    // Called back when the peer's window has taken all of it.
    else this.#channel.write(chunk, () => this.#below.writableLength <= BELOW_BYTES && this.#settle())
  }

  override _final(done: () => void): void {
    this.#channel.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#below.off('drain', this.#drained).off('close', this.#lost)
    this.#waiting = undefined
    this.#channel.on('data', () => {}).resume() // what still comes is of no interest
    this.#channel.destroy() // says EOF and CLOSE
    done(error)
  }

  #conclude(): void {
    if (!this.#saidAll) this.destroy(closed())
  }

  get #saidAll(): boolean {
    return this.writableEnded && this.writableLength === 0
  }

  readonly #drained = (): void => this.#settle()
  readonly #lost = (): void => {
    if (!this.#ended || !this.#saidAll) this.destroy(new Error('the ssh connection was lost'))
  }

  #settle(error?: Error): void {
    const done = this.#waiting
    this.#waiting = undefined
    done?.(error)
  }
}

function closed(): Error {
  return new Error('the ssh channel was closed')
}
