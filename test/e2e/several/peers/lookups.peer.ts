// Looks a name up again and again until it is told to end; how often each answer came.
import { lookup } from 'node:dns/promises'
import { setTimeout as delay } from 'node:timers/promises'

const [name = ''] = process.argv.slice(2)
const answers: Record<string, number> = {}
let ended = false
process.on('SIGTERM', () => {
  ended = true
})
process.stdout.write('begun\n')
while (!ended) {
  const answer = await lookup(name, 4).then(({ address }) => address, String)
  answers[answer] = (answers[answer] ?? 0) + 1
  await delay(2)
}
process.stdout.write(`${JSON.stringify(answers)}\n`)
