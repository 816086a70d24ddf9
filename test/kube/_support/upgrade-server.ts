// A server that upgrades connections, to WebSockets (RFC 6455) or bare SPDY, with raw sockets behind it, for the carrier's framing and
// backpressure. It knows nothing of Kubernetes but the path that the client asks first.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Cluster, loadCluster } from '../../../lib/kube/api/client.ts'
import { folder, kubeconfig, write } from './kubeconfig.ts'

export interface TestServer {
  cluster: Cluster
  close(): void
}

/**
 * Serve on loopback; each upgrade is accepted and handed over, unless `refuse` has written an answer of its own (true) or
 * wants the protocol chosen that was not asked for ('another'). A server that does
 * not know `protocol` says what one before Kubernetes 1.31 says of SPDY.
 */
export async function serve(
  accepted: (socket: Socket, request: IncomingMessage) => void,
  refuse?: (socket: Socket, request: IncomingMessage) => boolean | 'another',
  protocol = 'v4.channel.k8s.io'
): Promise<TestServer> {
  const sockets = new Set<Socket>()
  const server = createServer((_request, response) => response.end('{}'))
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  })
  server.on('upgrade', (request, stream, head) => {
    const socket = stream as Socket
    const refused = refuse?.(socket, request)
    if (refused === true) return
    const bare = request.headers.upgrade === 'SPDY/3.1'
    const asked = request.headers[bare ? 'x-stream-protocol-version' : 'sec-websocket-protocol']
    if (refused !== 'another' && asked !== protocol) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    const chosen = bare
      ? `Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}`
      : `Upgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${protocol}`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${chosen}\r\n\r\n`)
    if (head.length > 0) socket.unshift(head)
    accepted(socket, request)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const file = write(
    folder(),
    'config',
    kubeconfig('test', { server: `http://127.0.0.1:${port}` }, { token: 'secret' })
  )
  const cluster = await loadCluster({ kubeconfig: file })
  return {
    cluster,
    close() {
      cluster.close()
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

/** A server's frame: unmasked, binary unless said otherwise. */
export function frame(payload: Uint8Array, opcode = 2, final = true): Buffer {
  const { length } = payload
  const header = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10)
  header[0] = (final ? 0x80 : 0) | opcode
  if (length < 126) header[1] = length
  else if (length < 65_536) {
    header[1] = 126
    header.writeUInt16BE(length, 2)
  } else {
    header[1] = 127
    header.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([header, payload])
}

/** A message of one channel. */
export function message(channel: number, payload: Uint8Array | string): Buffer {
  return frame(Buffer.concat([Buffer.of(channel), Buffer.from(payload)]))
}

/** What the API server sends first on both channels of port 7070: the port. */
export const PREAMBLE = Buffer.concat([message(0, Buffer.of(0x9e, 0x1b)), message(1, Buffer.of(0x9e, 0x1b))])

/** Client frames in a buffer, unmasked; `rest` is what is not whole yet. */
export function clientFrames(bytes: Buffer): { frames: { opcode: number; payload: Buffer }[]; rest: Buffer } {
  const frames: { opcode: number; payload: Buffer }[] = []
  let at = 0
  for (;;) {
    const rest = bytes.subarray(at)
    if (rest.length < 2) return { frames, rest }
    const short = rest[1]! & 0x7f
    const header = (short === 127 ? 10 : short === 126 ? 4 : 2) + 4
    if (rest.length < header) return { frames, rest }
    const length = short === 127 ? Number(rest.readBigUInt64BE(2)) : short === 126 ? rest.readUInt16BE(2) : short
    if (rest.length < header + length) return { frames, rest }
    const payload = Buffer.from(rest.subarray(header, header + length))
    const mask = rest.subarray(header - 4, header)
    for (let i = 0; i < length; i++) payload[i]! ^= mask[i % 4]!
    frames.push({ opcode: rest[0]! & 0x0f, payload })
    at += header + length
  }
}
