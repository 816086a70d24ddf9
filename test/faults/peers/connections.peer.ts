// New connections at a rate, each with one short exchange; once a second a line with how many there were and how many failed.
// node connections.peer.ts HOST RATE
import { connect } from 'node:net'

const TICK_MS = 20
const LIMIT_MS = 10_000
const [host = '', rate = '200'] = process.argv.slice(2)
const told = { made: 0, failed: 0 }
let due = 0

function exchange(): void {
  const socket = connect({ host, port: 7000 })
  let text = ''
  let over = false
  const end = (well: boolean): void => {
    if (over) return
    over = true
    told.made += 1
    if (!well) told.failed += 1
    socket.destroy()
  }
  socket.setTimeout(LIMIT_MS, () => end(false))
  socket.on('error', () => end(false)).on('close', () => end(text === 'hello'))
  socket.on('data', bytes => {
    text += String(bytes)
  })
  socket.end('hello')
}

setInterval(() => {
  for (due += (Number(rate) * TICK_MS) / 1000; due >= 1; due--) exchange()
}, TICK_MS)
setInterval(() => process.stdout.write(`${JSON.stringify(told)}\n`), 1000)
