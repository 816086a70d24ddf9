// The local program: says who answers, and what was sent to it.
import { createServer } from 'node:http'

createServer(async (request, response) => {
  let body = ''
  for await (const part of request.setEncoding('utf8')) body += part
  response.writeHead(200, { 'content-type': 'application/json', 'x-who': 'local' })
  response.end(`${JSON.stringify({ local: true, method: request.method, path: request.url, body })}\n`)
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))
