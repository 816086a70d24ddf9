// Runs in a pod of the cluster: asks URL over and over on one connection for as long as that lives, and prints a line for every
// answer: its own port, and who answered.
import { Agent, get } from 'node:http'

const url = process.argv.at(-1)
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const PAUSE_MS = 250

function ask() {
  const request = get(url, { agent }, response => {
    const { localPort } = response.socket
    let text = ''
    response.on('data', bytes => {
      text += bytes
    })
    response.on('end', () => process.stdout.write(`${localPort} ${text.startsWith('local') ? 'local' : 'pod'}\n`))
  })
  request.on('error', error => process.stdout.write(`cut ${error.code}\n`))
  request.on('close', () => setTimeout(ask, PAUSE_MS))
}

ask()
