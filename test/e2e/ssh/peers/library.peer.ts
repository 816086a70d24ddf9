// A program whose API server is behind a jump host: what is refused, an answer, and how long it lives on when all is closed.
import { once } from 'node:events'
import { connect, KtError } from '../../../../lib/library/connect.ts'

const [image = ''] = process.argv.slice(2)
const options = { namespace: 'demo', image }
const codeOf = (error: unknown): unknown => (error instanceof KtError ? error.code : String(error))

{
  const without = await connect(options).then(String, codeOf)
  const strict = await connect({ ...options, via: 'strict' }).then(String, codeOf)
  await using kt = await connect({ ...options, via: 'work', carrier: 'ssh' })
  const { status } = await kt.fetch('http://nginx/')
  console.log(JSON.stringify({ without, strict, status }))
  await once(process.stdin.resume(), 'end')
}
const closed = performance.now()
process.once('exit', () => console.log(Math.round(performance.now() - closed)))
