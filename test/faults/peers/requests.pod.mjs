// Runs in a pod of the cluster: 50 requests a second to an exchanged service, each on a connection of its own, and once a second a line: who
// answered how many, by the second in which they were asked. node -e THIS URL
import { get } from 'node:http'

const PAUSE_MS = 20
const LIMIT_MS = 5000
/** A second is told when all of its requests must have ended. */
const TELL_AFTER_MS = LIMIT_MS + 1000
const [url] = process.argv.slice(-1)
const seconds = new Map()
let number = 0

function ask() {
  const at = Math.floor(Date.now() / 1000)
  if (!seconds.has(at)) seconds.set(at, { at: at * 1000, laptop: 0, pod: 0, wrong: 0, failed: 0, errors: {} })
  const counts = seconds.get(at)
  const path = `/?n=${number++}`
  const failed = error => {
    counts.failed += 1
    counts.errors[error.code ?? error.message] = (counts.errors[error.code ?? error.message] ?? 0) + 1
  }
  const request = get(url + path, { agent: false, timeout: LIMIT_MS }, response => {
    let text = ''
    response.on('data', bytes => (text += bytes))
    response.on('end', () => {
      if (text === `laptop ${path}\n`) counts.laptop += 1
      else if (text.startsWith('laptop')) counts.wrong += 1
      else if (response.statusCode === 200) counts.pod += 1
      else failed({ code: `HTTP ${response.statusCode}` })
    })
    response.on('error', failed)
  })
  request.on('timeout', () => request.destroy(new Error('timeout')))
  request.on('error', failed)
}

setInterval(ask, PAUSE_MS)
setInterval(() => {
  for (const [at, counts] of seconds) {
    if (Date.now() - counts.at < TELL_AFTER_MS) continue
    console.log(JSON.stringify(counts))
    seconds.delete(at)
  }
}, 500)
process.on('SIGTERM', () => process.exit(0))
