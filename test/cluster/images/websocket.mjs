// The server's side of RFC 6455, as far as an echo needs it: text and binary frames come back, pings are answered.
import { createHash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CLOSE = 8
const PING = 9
const PONG = 10

/** Answer an upgrade request and echo until the client closes. */
export function echoWebSocket(request, socket, head) {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
  )
  socket.on('error', () => {})
  let pending = head
  const arrive = chunk => {
    pending = Buffer.concat([pending, chunk])
    for (let frame = decode(pending); frame; frame = decode(pending)) {
      pending = pending.subarray(frame.length)
      const opcode = frame.first & 15
      if (opcode === CLOSE) return socket.end(encode(frame.first, frame.payload))
      if (opcode !== PONG) socket.write(encode(opcode === PING ? 128 | PONG : frame.first, frame.payload))
    }
  }
  socket.on('data', arrive)
  arrive(Buffer.alloc(0))
}

/** The first frame of `bytes` with its unmasked payload, or undefined while it is not all here. */
function decode(bytes) {
  if (bytes.length < 2) return undefined
  const short = bytes[1] & 127
  const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
  if (bytes.length < start + 4) return undefined
  const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  const length = start + 4 + size
  if (bytes.length < length) return undefined
  const mask = bytes.subarray(start, start + 4)
  const payload = bytes.subarray(start + 4, length).map((byte, index) => byte ^ mask[index & 3])
  return { first: bytes[0], payload, length }
}

function encode(first, payload) {
  const header = payload.length < 126 ? Buffer.alloc(2) : payload.length < 65536 ? Buffer.alloc(4) : Buffer.alloc(10)
  header[0] = first
  header[1] = header.length === 2 ? payload.length : header.length === 4 ? 126 : 127
  if (header.length === 4) header.writeUInt16BE(payload.length, 2)
  if (header.length === 10) header.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([header, payload])
}
