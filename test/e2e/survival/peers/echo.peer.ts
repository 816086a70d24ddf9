// One connection to an echo server for a while, with a numbered line every 50 ms: do all come back, in order, and how long does one take?
// node echo.peer.ts HOST PORT SECONDS

import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const LINE_MS = 50
const LAST_LINE_MS = 20_000

const [host = '', port = '', seconds = '10'] = process.argv.slice(2)
const socket = connect({ host, port: Number(port), noDelay: true })
const sentAt: number[] = []
const result = { sent: 0, received: 0, longestMs: 0, wrong: 0, error: '' }

function finish(): never {
  process.stdout.write(`${JSON.stringify({ ...result, sent: sentAt.length })}\n`)
  process.exit(0)
}

socket.on('error', (error: NodeJS.ErrnoException) => {
  result.error = error.code ?? error.message
  finish()
})
createInterface({ input: socket }).on('line', line => {
  if (line !== `line ${result.received}`) result.wrong += 1
  result.longestMs = Math.max(result.longestMs, performance.now() - (sentAt[result.received] ?? 0))
  result.received += 1
  if (ended && result.received === sentAt.length) finish()
})
let ended = false
socket.once('connect', () => {
  const timer = setInterval(() => {
    socket.write(`line ${sentAt.length}\n`)
    sentAt.push(performance.now())
  }, LINE_MS)
  setTimeout(() => {
    clearInterval(timer)
    ended = true
    setTimeout(finish, LAST_LINE_MS)
  }, Number(seconds) * 1000)
})
