// Many HTTP requests at once to one address, each on a connection of its own: prints how many were answered with 200.
import { get } from 'node:http'

const [url = '', count = '1'] = process.argv.slice(2)
let good = 0
await Promise.all(
  Array.from(
    { length: Number(count) },
    () =>
      new Promise<void>(resolve => {
        const request = get(url, { agent: false, timeout: 20_000 }, answer => {
          if (answer.statusCode === 200) good += 1
          answer.resume().on('close', resolve)
        })
        request.on('timeout', () => request.destroy())
        request.on('error', () => resolve())
      })
  )
)
process.stdout.write(`${good}\n`)
