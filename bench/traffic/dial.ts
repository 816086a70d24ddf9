// One TCP connection of the generator, straight or through a SOCKS5 proxy (RFC 1928), read through one fixed buffer.
import { connect, type Socket } from 'node:net'

/** Where a connection goes. */
export interface Target {
  host: string
  port: number
  /** SOCKS5 proxy on the same computer, without authentication; names are resolved by it. */
  socks?: { host: string; port: number }
}

/** An open connection. `onBytes` gets what arrives, valid during the call; `onEnd` is called once, after the last byte. */
export interface Wire {
  socket: Socket
  onBytes: (bytes: Uint8Array) => void
  onEnd: (error?: Error) => void
}

const GREETING = Buffer.from([5, 1, 0])
/** Version, reply, reserved, address type, and the IPv4 address and port that OpenSSH answers with. */
const REPLY_BYTES = 10
/** A peer that does not answer a SYN for so long is gone. */
const CONNECT_MS = 20_000

/** Connect, or reject with the reason; `bufferBytes` is what one read may bring. */
export async function dial(target: Target, bufferBytes: number): Promise<Wire> {
  const { host, port } = target.socks ?? target
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  let wire: Wire | undefined
  const socket = connect({
    host,
    port,
    noDelay: true,
    onread: {
      buffer,
      callback: length => {
        wire?.onBytes(buffer.subarray(0, length))
        return true
      }
    }
  })
  wire = { socket, onBytes: () => {}, onEnd: () => {} }
  await connected(socket)
  const open = wire
  let failure: Error | undefined
  socket.on('error', error => {
    failure = error
  })
  socket.on('close', () => open.onEnd(failure))
  if (target.socks) await socksConnect(open, target)
  return open
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('connect: no answer')))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.setTimeout(0)
      resolve()
    })
  })
}

function socksConnect(wire: Wire, target: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0)
    wire.onEnd = error => reject(error ?? new Error('SOCKS: closed'))
    wire.onBytes = bytes => {
      answer = Buffer.concat([answer, bytes])
      if (answer.length === 2) {
        const host = Buffer.from(target.host)
        wire.socket.write(
          Buffer.concat([
            Buffer.from([5, 1, 0, 3, host.length]),
            host,
            Buffer.from([target.port >> 8, target.port & 255])
          ])
        )
      } else if (answer.length >= 2 + REPLY_BYTES) {
        wire.onEnd = () => {}
        if (answer[3] === 0) resolve()
        else reject(new Error(`SOCKS: reply ${answer[3]}`))
      }
    }
    wire.socket.write(GREETING)
  })
}
