// The company's name server of a test: answers a few names, and says each question on a line of its own.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { type Answer, decode, encode } from 'dns-packet'
import { FrameReader, frame } from '../../../../lib/dns/tcp.ts'

const ADDRESSES: Record<string, string> = {
  'www.example.test': '192.0.2.11',
  'intranet.corp.example.test': '192.0.2.20'
}
/** Names below this are answered late, so that many questions are under way at once. */
const LATE_DOMAIN = 'late.example.test'
const LATE_MS = 500
const SOA = {
  mname: 'ns.example.test',
  rname: 'admin.example.test',
  serial: 1,
  refresh: 60,
  retry: 60,
  expire: 60,
  minimum: 60
}

function answerTo(message: Uint8Array): { bytes: Buffer; lateMs: number } {
  const { id = 0, questions = [] } = decode(Buffer.from(message))
  const [{ name, type } = { name: '', type: 'A' }] = questions
  process.stdout.write(`${name.toLowerCase()} ${type}\n`)
  const address = ADDRESSES[name.toLowerCase()]
  const answers: Answer[] = type === 'A' && address ? [{ name, type: 'A', ttl: 60, data: address }] : []
  const authorities: Answer[] = answers.length > 0 ? [] : [{ name: 'example.test', type: 'SOA', ttl: 60, data: SOA }]
  // RD, RA, and NXDOMAIN for what it does not have at all.
  const flags = 0x180 | (address ? 0 : 3)
  const bytes = encode({ type: 'response', id, flags, questions, answers, authorities })
  return { bytes, lateMs: name.toLowerCase().endsWith(LATE_DOMAIN) ? LATE_MS : 0 }
}

const address = process.argv[2] ?? ''
const udp = createSocket('udp4', (message, { address: from, port }) => {
  const { bytes, lateMs } = answerTo(message)
  setTimeout(() => udp.send(bytes, port, from), lateMs)
})
createServer(socket => {
  const reader = new FrameReader()
  socket.on('error', () => {})
  socket.on('data', chunk => {
    for (const message of reader.push(chunk)) socket.write(frame(answerTo(message).bytes))
  })
}).listen(53, address)
udp.bind(53, address, () => process.stdout.write('listens\n'))
