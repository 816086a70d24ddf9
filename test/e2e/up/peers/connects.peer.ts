// Opens connections at a given pace, sends a few bytes on each and waits for them to come back.
// node connects.peer.ts HOST PORT COUNT SPREAD_MS LIMIT_MS
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const [host = '', port = '', count = '1', spreadMs = '0', limitMs = '10000'] = process.argv.slice(2)

interface Attempt {
  /** 'echoed', 'wrong', 'timeout' or an error code such as ECONNREFUSED. */
  outcome: string
  /** Until the connection was there or refused. */
  connectMs: number
  /** Until the bytes were back. */
  totalMs: number
}

const began = performance.now()
const attempts: Promise<Attempt>[] = []
for (let index = 0; index < Number(count); index += 1) {
  const due = (index * Number(spreadMs)) / Number(count) - (performance.now() - began)
  if (due > 1) await sleep(due)
  attempts.push(attempt(index))
}
const startedMs = performance.now() - began
process.stdout.write(`${JSON.stringify({ startedMs, attempts: await Promise.all(attempts) })}\n`)

function attempt(index: number): Promise<Attempt> {
  const text = `attempt ${index} of ${count}\n`
  const started = performance.now()
  const result: Attempt = { outcome: 'closed', connectMs: Number.NaN, totalMs: Number.NaN }
  const socket = connect({ host, port: Number(port), noDelay: true })
  const limit = setTimeout(() => done('timeout'), Number(limitMs))
  let answer = ''
  const done = (outcome: string): void => {
    clearTimeout(limit)
    result.outcome = outcome
    result.totalMs = performance.now() - started
    if (Number.isNaN(result.connectMs)) result.connectMs = result.totalMs
    socket.destroy()
  }
  socket.once('connect', () => {
    result.connectMs = performance.now() - started
    socket.write(text)
  })
  socket.on('data', chunk => {
    answer += chunk
    if (answer.length >= text.length) done(answer === text ? 'echoed' : 'wrong')
  })
  socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  return new Promise(resolve => socket.once('close', () => resolve(result)))
}
