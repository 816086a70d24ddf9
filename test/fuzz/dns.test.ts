// Whatever bytes arrive as a question, or come back from the cluster: no exception, no hanging, no broken answer.
import test from 'ava'
import { decode } from 'dns-packet'
import fc from 'fast-check'
import { question, resolver } from '../dns/_table.ts'

const LIMIT_MS = Number(process.env.KT_FUZZ_MS ?? 10_000)
const OPTIONS = { numRuns: Number.POSITIVE_INFINITY, interruptAfterTimeLimit: LIMIT_MS, markInterruptAsFailure: false }

const NAMES = [
  'nginx.demo.svc.cluster.local',
  'web.demo',
  'x.consul.cluster.local',
  '_http._tcp.web',
  '7.0.96.10.in-addr.arpa',
  'outside.demo'
]

/** Bytes without form, and good questions with a few bytes changed, cut or added. */
const message = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc
    .record({
      name: fc.constantFrom(...NAMES),
      type: fc.constantFrom('A', 'AAAA', 'SRV', 'PTR', 'ANY'),
      changes: fc.array(fc.tuple(fc.nat({ max: 90 }), fc.nat({ max: 255 })), { maxLength: 6 }),
      cut: fc.nat({ max: 40 })
    })
    .map(({ name, type, changes, cut }) => {
      const bytes = question(name, type)
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      return Uint8Array.from(bytes.subarray(0, bytes.length - (cut > 20 ? cut - 20 : 0)))
    })
)

/** True if `promise` comes to an end before anybody would call it hanging. */
async function ends<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('hangs')), 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

test('questions', async t => {
  await fc.assert(
    fc.asyncProperty(message, fc.constantFrom('udp', 'tcp'), async (bytes, transport) => {
      const answer = await ends(resolver().answer(bytes, transport))
      if (answer === undefined) return true
      decode(Buffer.from(answer))
      return answer[0] === bytes[0] && answer[1] === bytes[1] && (answer[2]! & 0x80) !== 0
    }),
    OPTIONS
  )
  t.pass()
})

test('answers of the cluster', async t => {
  const name = fc.constantFrom('x.consul.cluster.local', 'x.y.pod', 'outside.demo')
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), name, async (bytes, asked) => {
      const answer = await ends(resolver({ cluster: async () => bytes }).answer(question(asked), 'udp'))
      return answer !== undefined
    }),
    OPTIONS
  )
  t.pass()
})
