// A TCP proxy that adds round-trip time and takes no bandwidth, for kernels without netem. A program of its own.
// Arguments: added RTT in ms, host, port. Prints its local port.
//
// Each direction is a line on which bytes lie for half of the RTT. A new connection waits for one RTT more, as its
// handshake would. What a slow receiver leaves lying at the end of the line is bounded, as a network's buffers are.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Bytes that are through but not taken: about the receive buffer of a host. */
const OVERDUE_BYTES = 4 * 2 ** 20
/** Bytes on the line: 1 GB/s at 80 ms. */
const LINE_BYTES = 80 * 2 ** 20

/** What is on the line when a connection is closed still arrives. */
const LINGER_MS = 1000

interface Chunk {
  due: number
  bytes: Buffer
}

/** One direction. */
class Line {
  readonly #from: Socket
  readonly #to: Socket
  readonly #chunks: Chunk[] = []
  #lying = 0
  #timer: NodeJS.Timeout | undefined

  /** `firstMs`: what the first bytes wait in addition. */
  constructor(from: Socket, to: Socket, delayMs: number, firstMs: number) {
    this.#from = from
    this.#to = to
    let first = firstMs
    from.on('data', bytes => {
      this.#chunks.push({ due: performance.now() + delayMs + first, bytes })
      first = 0
      this.#lying += bytes.length
      this.#deliver()
    })
    from.on('end', () => this.#deliver())
    from.on('close', () => setTimeout(() => to.destroy(), delayMs + LINGER_MS).unref())
    to.on('drain', () => this.#deliver())
  }

  #deliver(): void {
    const now = performance.now()
    while (this.#chunks.length > 0 && this.#chunks[0]!.due <= now && this.#to.writableLength < OVERDUE_BYTES) {
      const { bytes } = this.#chunks.shift()!
      this.#lying -= bytes.length
      this.#to.write(bytes)
    }
    if (this.#lying < LINE_BYTES && this.#to.writableLength < OVERDUE_BYTES) this.#from.resume()
    else this.#from.pause()
    clearTimeout(this.#timer)
    const next = this.#chunks[0]
    if (next) this.#timer = setTimeout(() => this.#deliver(), Math.max(1, next.due - now))
    else if (this.#from.readableEnded) this.#to.end()
  }
}

const [rtt = '', host = '', port = ''] = process.argv.slice(2)
const half = Number(rtt) / 2

const server = createServer({ noDelay: true, allowHalfOpen: true }, near => {
  const far = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true })
  for (const socket of [near, far]) {
    socket.on('error', () => {
      near.destroy()
      far.destroy()
    })
  }
  new Line(near, far, half, half * 2)
  new Line(far, near, half, 0)
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))
