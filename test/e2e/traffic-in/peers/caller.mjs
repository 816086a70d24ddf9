// Runs in a pod of the cluster: asks URL over and over, a new connection each time, for so many ms, or with `eof` until its standard
// input ends, and prints a line for every answer: when it was asked (ms since the epoch) and by whom it was answered, or the error.
import { get } from 'node:http'

const [url, intervalMs, forMs] = process.argv.slice(-3)
// A busy machine is slow, which is no error; who is led to a pod that has gone waits longer.
const LIMIT_MS = 15_000
let until = Date.now() + Number(forMs)
if (forMs === 'eof') {
  until = Number.POSITIVE_INFINITY
  process.stdin.resume().on('end', () => {
    until = 0
  })
}

function ask() {
  const at = Date.now()
  const done = what => process.stdout.write(`${at} ${what}\n`)
  const request = get(url, { agent: false, timeout: LIMIT_MS }, response => {
    let text = ''
    response.on('data', bytes => {
      text += bytes
    })
    response.on('end', () => done(text.startsWith('local') ? 'local' : `pod ${response.headers['x-pod']}`))
    response.on('error', error => done(`error ${error.code}`))
  })
  request.on('timeout', () => request.destroy(new Error('timeout')))
  request.on('error', error => done(`error ${error.code ?? error.message}`))
}

const timer = setInterval(() => {
  if (Date.now() < until) return ask()
  clearInterval(timer)
}, Number(intervalMs))
