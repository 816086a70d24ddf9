// A local program that does what its caller says (argument: its port). `hex`: what it has read, as hexadecimal digits. `die`: RST. `greet`:
// it ends first, then prints what it still hears.
import { createServer } from 'node:net'

createServer({ allowHalfOpen: true }, socket => {
  const heard: Buffer[] = []
  socket.on('error', () => {})
  socket.on('data', bytes => {
    heard.push(bytes)
    const text = Buffer.concat(heard).toString('latin1')
    if (text.endsWith('hex\n')) socket.end(Buffer.from(text, 'latin1').toString('hex'))
    else if (text.endsWith('die\n')) socket.resetAndDestroy()
    else if (text === 'greet\n') socket.end('greeting')
  })
  socket.on('end', () => {
    process.stdout.write(`heard ${Buffer.concat(heard).toString('latin1').replaceAll('\n', ' ')}\n`)
    if (!socket.writableEnded) socket.end()
  })
}).listen(Number(process.argv[2]), () => process.stdout.write('ready\n'))
