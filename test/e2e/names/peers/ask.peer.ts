// Asks one name server many questions over one TCP connection; JSON in, JSON out. Runs on the laptop and on a node.
import { connect } from 'node:net'
import { decode, encode } from 'dns-packet'
import { FrameReader, frame } from '../../../../lib/dns/tcp.ts'
import { type Told, told } from '../_support/told.ts'

const LIMIT_MS = 20_000
/** A server may answer no more at once over one connection. */
const IN_FLIGHT = 16

interface Input {
  server: string
  questions: [name: string, type: string][]
}

let text = ''
for await (const chunk of process.stdin) text += chunk
const { server, questions } = JSON.parse(text) as Input
const answers: Told[] = []
const socket = connect(53, server)
socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`${server}: silent`)))
const reader = new FrameReader()
let asked = 0
let answered = 0

function askNext(): void {
  const [name, type] = questions[asked] ?? []
  if (name === undefined) return
  const id = asked++
  socket.write(frame(encode({ type: 'query', id, flags: 0x100, questions: [{ name, type: type as 'A' }] })))
}

await new Promise<void>((resolve, reject) => {
  socket.on('error', reject)
  socket.on('connect', () => {
    for (let i = 0; i < IN_FLIGHT; i++) askNext()
  })
  socket.on('data', (chunk: Uint8Array) => {
    for (const message of reader.push(chunk)) {
      const packet = decode(Buffer.from(message))
      answers[packet.id ?? 0] = told(packet)
      if (++answered === questions.length) resolve()
      askNext()
    }
  })
  socket.on('close', () => reject(new Error(`${server}: closed after ${answered} answers`)))
})
socket.destroy()
process.stdout.write(JSON.stringify(answers))
