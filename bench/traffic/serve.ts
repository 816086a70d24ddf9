// The traffic server's conversation, over any byte stream: the client says what it wants in one line, and gets it.
//
// The line is `down BYTES`, `up BYTES`, `both BYTES` (each with ` sha256` behind it on demand) or `echo`. Payload follows
// in the named direction; at the end the server sends one line of JSON, its {@link Receipt}.
import type { Duplex } from 'node:stream'
import { PayloadReader, type Receipt, sendPayload } from './payload.ts'

/** The longest request line. */
const LINE_BYTES = 64
/** Nobody asks for more in one connection; a slip must not fill the machine with traffic. */
const MOST_BYTES = 64 * 2 ** 30

/** Serve one connection, to its end; its errors end it and go no further. */
export function serve(socket: Duplex): void {
  socket.on('error', () => socket.destroy())
  let head = Buffer.alloc(0)
  const onHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf(0x0a)
    if (end < 0) {
      if (head.length > LINE_BYTES) socket.destroy()
      return
    }
    socket.off('data', onHead)
    const [mode = '', count = '0', option] = head.subarray(0, end).toString('latin1').split(' ')
    answer(socket, mode, Math.min(Number(count) || 0, MOST_BYTES), option === 'sha256', head.subarray(end + 1))
  }
  socket.on('data', onHead)
}

function answer(socket: Duplex, mode: string, bytes: number, hashed: boolean, rest: Buffer): void {
  if (mode === 'echo') {
    if (rest.length > 0) socket.write(rest)
    socket.pipe(socket)
    return
  }
  if (!['down', 'up', 'both'].includes(mode)) {
    socket.destroy()
    return
  }
  const sent = mode === 'up' ? undefined : sendPayload(socket, bytes, hashed)
  const received = mode === 'down' ? undefined : receive(socket, bytes, hashed, rest)
  Promise.all([sent, received]).then(
    ([out, into]) => socket.end(`${JSON.stringify(into ?? out)}\n`),
    () => socket.destroy()
  )
}

function receive(socket: Duplex, bytes: number, hashed: boolean, rest: Buffer): Promise<Receipt> {
  return new Promise((resolve, reject) => {
    const reader = new PayloadReader(bytes, hashed)
    const take = (chunk: Buffer): void => {
      reader.take(chunk)
      if (reader.complete) resolve(reader.receipt())
    }
    socket.on('data', take)
    socket.on('close', () => reject(new Error('closed early')))
    take(rest)
  })
}
