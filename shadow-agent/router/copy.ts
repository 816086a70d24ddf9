// A request's copy for the laptop. Whatever becomes of it, the original's answer is not kept waiting.
import type { Socket } from 'node:net'
import { ResponseReader } from '../../lib/router/http1-response.ts'
import type { Way, Ways } from './ways.ts'

/** What may wait for a slow laptop, bytes: of one copy, and of all together. */
const MAX_WAITING = 1_048_576
const MAX_WAITING_IN_ALL = 16_777_216
/** Copies at a time, each a connection. */
const MAX_COPIES = 256
/** A copy about which nothing is heard for so long is given up, ms. */
const IDLE_MS = 30_000

let copies = 0
let waitingInAll = 0

export class Copy {
  readonly #way: Way
  readonly #response: ResponseReader
  #queue: Buffer[] = []
  #waiting = 0
  #socket: Socket | undefined
  #whole = false
  #over = false

  /** Nothing is sent before the first `write`. */
  constructor(way: Way, ways: Ways, method: string) {
    this.#way = way
    this.#response = new ResponseReader(method)
    copies += 1
    if (copies > MAX_COPIES) this.close()
    else void this.#open(ways)
  }

  /** The next bytes of the request, unless too many wait already: then this copy is dropped. */
  write(bytes: Buffer): void {
    if (this.#over) return
    this.#waiting += bytes.length
    waitingInAll += bytes.length
    if (this.#waiting > MAX_WAITING || waitingInAll > MAX_WAITING_IN_ALL) this.close()
    else if (this.#socket === undefined) this.#queue.push(bytes)
    else this.#send(bytes)
  }

  /** That was all of the request. */
  end(): void {
    if (this.#over || this.#whole) return
    this.#whole = true
    this.#way.counters.copies += 1
  }

  /** Give it up. */
  close(): void {
    if (this.#over) return
    this.#over = true
    copies -= 1
    waitingInAll -= this.#waiting
    this.#queue = []
    if (!this.#whole) this.#way.counters.dropped += 1
    this.#socket?.destroy()
  }

  async #open(ways: Ways): Promise<void> {
    const socket = await ways.dial(this.#way, undefined)
    if (socket === undefined || this.#over) {
      socket?.destroy()
      this.close()
      return
    }
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#response.push(bytes)
      if (this.#response.progress === 'done' || this.#response.progress === 'tunnel') this.close()
    })
    socket.on('close', () => this.close())
    socket.on('end', () => this.close())
    socket.setTimeout(IDLE_MS, () => this.close())
    for (const bytes of this.#queue) this.#send(bytes)
    this.#queue = []
  }

  #send(bytes: Buffer): void {
    this.#socket?.write(bytes, () => {
      if (this.#over) return
      this.#waiting -= bytes.length
      waitingInAll -= bytes.length
    })
  }
}
