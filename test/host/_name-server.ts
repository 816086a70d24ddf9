// A name server in the namespace at the other end of a wire: answers every A question with its own address, and counts.
import { createSocket } from 'node:dgram'
import { decode, encode } from 'dns-packet'
import { serveCalls } from '../_support/netns.ts'

/** What each address was asked: `name TYPE`. */
const asked: Record<string, string[]> = {}

serveCalls({
  async serve(addresses: string[]) {
    for (const address of addresses) {
      const names: string[] = []
      asked[address] = names
      const socket = createSocket('udp4')
      socket.on('message', (message, from) => {
        const { id = 0, questions = [] } = decode(message)
        const [{ name, type } = { name: '', type: 'A' }] = questions
        names.push(`${name} ${type}`)
        const answers = type === 'A' ? [{ type: 'A' as const, name, ttl: 5, data: address }] : []
        socket.send(encode({ type: 'response', id, flags: 0x180, questions, answers }), from.port, from.address)
      })
      await new Promise<void>(resolve => socket.bind(53, address, resolve))
    }
  },
  asked: (address: string) => asked[address] ?? []
})
