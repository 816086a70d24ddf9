// Many programs ask the same name at the same moment: that many sockets, one question each. Prints the rcodes.
import { createSocket } from 'node:dgram'
import { decode, encode } from 'dns-packet'

const [server = '', name = '', count = '1'] = process.argv.slice(2)
const LIMIT_MS = 8000

function ask(id: number): Promise<string> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    const end = (result: string): void => {
      clearTimeout(timer)
      socket.close()
      resolve(result)
    }
    const timer = setTimeout(() => end('no answer'), LIMIT_MS)
    socket.on('message', message => {
      const packet = decode(message) as { id?: number; rcode?: string }
      end(packet.id === id ? (packet.rcode ?? '') : 'another id')
    })
    socket.send(encode({ type: 'query', id, flags: 0x100, questions: [{ name, type: 'A' }] }), 53, server)
  })
}

const answers = await Promise.all(Array.from({ length: Number(count) }, (_, i) => ask(1000 + i)))
process.stdout.write(JSON.stringify(answers))
