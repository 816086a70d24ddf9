// Runs in a pod of the cluster, fed to `node -` on its standard input. Arguments as JSON: { url, connections, requests, forMs,
// intervalMs, versions }. Keeps `connections` kept-alive connections busy, each request with one of `versions` as its header
// VERSION ('' is none) at random, until `requests` were made, `forMs` have passed, or SIGTERM came. First its process id on a line, then a line for
// every answer: when it was asked (ms since the epoch), for which version, and who answered, or the error.
import { Agent, request } from 'node:http'

const { url, connections, requests, forMs, intervalMs, versions } = JSON.parse(process.argv[2])
const LIMIT_MS = 8000
const until = Date.now() + forMs
let left = requests

process.once('SIGTERM', () => {
  left = 0
})
process.stdout.write(`${process.pid}\n`)

function ask(agent, version) {
  return new Promise(resolve => {
    const at = Date.now()
    const headers = version === '' ? {} : { version }
    const done = what => {
      process.stdout.write(`${at} ${version || '-'} ${what}\n`)
      resolve()
    }
    const sent = request(url, { agent, headers, timeout: LIMIT_MS }, response => {
      let text = ''
      response.on('data', bytes => {
        text += bytes
      })
      response.on('end', () =>
        done(text.startsWith('local ') ? text.split(' ').slice(0, 2).join(' ') : `pod ${response.headers['x-pod']}`)
      )
      response.on('error', error => done(`error ${error.code}`))
    })
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', error => done(`error ${error.code ?? error.message}`))
    sent.end()
  })
}

async function busy() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  while (left > 0 && Date.now() < until) {
    left -= 1
    const began = Date.now()
    await ask(agent, versions[Math.floor(Math.random() * versions.length)])
    const pause = intervalMs - (Date.now() - began)
    if (pause > 0) await new Promise(resolve => setTimeout(resolve, pause))
  }
  agent.destroy()
}

await Promise.all(Array.from({ length: connections }, busy))
