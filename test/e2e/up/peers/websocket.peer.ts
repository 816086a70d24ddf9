// A WebSocket client as browsers have it (Node's own): text, a large binary message, close.
// node websocket.peer.ts URL BYTES
import { createHash, randomBytes } from 'node:crypto'

const [url = '', length = '1'] = process.argv.slice(2)
const socket = new WebSocket(url)
socket.binaryType = 'arraybuffer'
const messages: (string | ArrayBuffer)[] = []
const arrived = new EventTarget()
socket.addEventListener('message', event => {
  messages.push(event.data as string | ArrayBuffer)
  arrived.dispatchEvent(new Event('message'))
})
const closed = new Promise<CloseEvent>((resolve, reject) => {
  socket.addEventListener('close', resolve)
  socket.addEventListener('error', () => reject(new Error(`no WebSocket at ${url}`)))
})
await new Promise(resolve => socket.addEventListener('open', resolve))
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const bytes = randomBytes(Number(length))
socket.send('häl\u{1F600}lo')
socket.send(bytes)
while (messages.length < 2) await new Promise(resolve => arrived.addEventListener('message', resolve, { once: true }))
socket.close(1000, 'done')
const { code, reason, wasClean } = await closed
const [text, binary] = messages
const equal = binary instanceof ArrayBuffer && sha256(new Uint8Array(binary)) === sha256(bytes)
process.stdout.write(`${JSON.stringify({ text, equal, code, reason, wasClean })}\n`)
