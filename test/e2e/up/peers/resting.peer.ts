// Opens connections to an echo server, says a word on each, and keeps them until its input ends; prints how many have answered.
// node resting.peer.ts HOST PORT COUNT
import { once } from 'node:events'
import { connect } from 'node:net'

const [host = '', port = '', count = '1'] = process.argv.slice(2)

async function open(): Promise<void> {
  const socket = connect({ host, port: Number(port) })
  process.stdin.once('end', () => socket.destroy())
  socket.write('hello')
  await once(socket, 'data')
}

process.stdin.setMaxListeners(0).resume()
const answers = await Promise.allSettled(Array.from({ length: Number(count) }, open))
process.stdout.write(`${answers.filter(({ status }) => status === 'fulfilled').length}\n`)
