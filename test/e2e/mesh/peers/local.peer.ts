// Local programs of the mesh tests: arguments are `NAME=PORT`; each says its name and the path on HTTP, and nothing else.
import { createServer } from 'node:http'

let waiting = process.argv.length - 2
for (const [name, port] of process.argv.slice(2).map(word => word.split('='))) {
  createServer((request, response) => {
    request.resume().on('end', () => response.end(`local ${name} ${request.url}\n`))
  }).listen(Number(port), () => {
    waiting -= 1
    if (waiting === 0) process.stdout.write('ready\n')
  })
}
