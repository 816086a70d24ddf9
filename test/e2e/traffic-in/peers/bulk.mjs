// Known bytes over TCP, in a pod (fed to `node -`) or on the laptop: `serve PORT`, or `call HOST PORT up|down MIB`, which prints the
// milliseconds it took and the SHA-256 of what has arrived.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const MIB = 2 ** 20
const [what, ...words] = process.argv.slice(2)

/** MiB number `i`: no two are alike. */
function block(i) {
  const bytes = Buffer.alloc(MIB)
  for (let at = 0, x = i + 1; at < MIB; at += 4) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0
    bytes.writeInt32LE(x, at)
  }
  return bytes
}

/** The first `size` blocks are made once, so that making them is no part of what is measured. */
const BLOCKS = Array.from({ length: 16 }, (_, i) => block(i))

async function pour(socket, mib) {
  for (let i = 0; i < mib; i++) {
    const head = Buffer.alloc(8)
    head.writeDoubleLE(i)
    socket.write(head)
    if (!socket.write(BLOCKS[i % BLOCKS.length])) await once(socket, 'drain')
  }
  socket.end()
}

function hashOf(stream) {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256')
    stream.on('data', bytes => hash.update(bytes))
    stream.on('end', () => resolve(hash.digest('hex')))
    stream.on('error', reject)
  })
}

if (what === 'serve') {
  createServer({ allowHalfOpen: true }, async socket => {
    socket.on('error', () => {})
    const [first] = await once(socket, 'data')
    const [verb, mib] = first.toString('latin1', 0, 16).split(' ')
    if (verb === 'down') return pour(socket, Number(mib))
    socket.unshift(first.subarray(16))
    socket.end(await hashOf(socket))
  }).listen(Number(words[0]), () => process.stdout.write('ready\n'))
} else if (what === 'call') {
  const [host, port, verb, mib] = words
  const socket = connect({ host, port: Number(port), allowHalfOpen: true })
  await once(socket, 'connect')
  const began = performance.now()
  socket.write(`${verb} ${mib} `.padEnd(16))
  let sum
  if (verb === 'down') sum = await hashOf(socket)
  else {
    const answer = socket.toArray()
    await pour(socket, Number(mib))
    sum = Buffer.concat(await answer).toString()
  }
  process.stdout.write(`${performance.now() - began} ${sum}\n`)
} else {
  const hash = createHash('sha256')
  for (let i = 0; i < Number(words[0]); i++) {
    const head = Buffer.alloc(8)
    head.writeDoubleLE(i)
    hash.update(head).update(BLOCKS[i % BLOCKS.length])
  }
  process.stdout.write(`${hash.digest('hex')}\n`)
}
