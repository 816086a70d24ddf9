// A name server on loopback with a port of its own, and what it was asked.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { decode, encode } from 'dns-packet'
import { FrameReader, frame } from '../../lib/dns/tcp.ts'

type Answers = Uint8Array | Uint8Array[] | undefined
/** What to answer: bytes, several of them, or nothing. */
export type Behaviour = (message: Buffer, transport: 'udp' | 'tcp') => Answers | Promise<Answers>

export interface Upstream {
  /** `127.0.0.1:port` */
  readonly address: string
  /** Every message as it came. */
  readonly asked: Buffer[]
  close(): void
}

export async function upstream(behaviour: Behaviour): Promise<Upstream> {
  const asked: Buffer[] = []
  const answer = async (message: Buffer, transport: 'udp' | 'tcp'): Promise<Uint8Array[]> => {
    asked.push(message)
    const answers = await behaviour(message, transport)
    return answers === undefined ? [] : Array.isArray(answers) ? answers : [answers]
  }
  const sockets = new Set<Socket>()
  const tcp = createServer(socket => {
    sockets.add(socket)
    const reader = new FrameReader()
    socket.on('error', () => {})
    socket.on('data', async chunk => {
      for (const message of reader.push(chunk)) {
        for (const each of await answer(Buffer.from(message), 'tcp')) socket.write(frame(each))
      }
    })
  })
  tcp.listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const { port } = tcp.address() as { port: number }
  const udp = createSocket('udp4')
  udp.on('message', async (message, from) => {
    for (const each of await answer(message, 'udp')) udp.send(each, from.port, from.address)
  })
  udp.bind(port, '127.0.0.1')
  await once(udp, 'listening')
  return {
    address: `127.0.0.1:${port}`,
    asked,
    close() {
      udp.close()
      tcp.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

/** Answers every A question with one address. */
export const address =
  (data: string) =>
  (message: Buffer): Uint8Array => {
    const { id = 0, questions = [] } = decode(message)
    return encode({
      type: 'response',
      id,
      flags: 0x180,
      questions,
      answers: [{ type: 'A', name: questions[0]?.name ?? '', ttl: 60, data }]
    })
  }

/** Answers everything with an rcode. */
export const refuse =
  (rcode: number): Behaviour =>
  message => {
    const { id = 0, questions = [] } = decode(message)
    return encode({ type: 'response', id, flags: 0x180 | rcode, questions })
  }
