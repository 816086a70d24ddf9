import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import test from 'ava'
import { MAX_WINDOW } from '../../lib/mux/credit.ts'
import { MuxResetError, type MuxStream } from '../../lib/mux/stream.ts'
import { choppyPair, plainPair } from '../_support/carriers.ts'
import { bytesOf, duplexTests } from '../compliance/duplex.ts'
import { sessions } from './_pair.ts'

// What the writer, the window and the reader hold between them. A busy machine has long round trips, and on a long way the first window is larger.
const unreadBytes = MAX_WINDOW / 16 + 2 * 131_072 + 65_536

async function pair(carrier: [Duplex, Duplex]) {
  let opened: (stream: MuxStream) => void = () => {}
  const far = new Promise<MuxStream>(resolve => {
    opened = resolve
  })
  const { client, agent, close } = sessions(stream => opened(stream), carrier)
  const a = client.open(Buffer.from('pair'))
  return { a, b: await far, client, agent, close }
}

const features = { halfClose: true, reset: true, unreadBytes }
duplexTests(test, 'mux stream', () => pair(plainPair()), features)

let size = 1
const choppy = () => choppyPair(() => (size = (size * 7 + 1) % 3_000))
duplexTests(test, 'mux stream over a carrier in pieces', () => pair(choppy()), features)
duplexTests(
  test,
  'mux stream, seen from the side that did not open it',
  async () => {
    const { a, b, close } = await pair(plainPair())
    return { a: b, b: a, close }
  },
  features
)

test('reset: the code arrives, with MUX_RESET as its error code', async t => {
  const { a, b, close } = await pair(plainPair())
  b.reset('refused')
  const [error] = (await once(a, 'error')) as [MuxResetError]
  t.true(error instanceof MuxResetError)
  t.is(error.code, 'MUX_RESET')
  t.is(error.resetCode, 'refused')
  await close()
})

test('destroy without an error is RESET cancel, and frees the stream on both sides', async t => {
  const { a, b, client, agent, close } = await pair(plainPair())
  a.destroy()
  const [error] = (await once(b, 'error')) as [MuxResetError]
  t.is(error.resetCode, 'cancel')
  t.is(client.stats.streams + agent.stats.streams, 0)
  t.is(client.stats.promisedBytes + agent.stats.promisedBytes, 0)
  await close()
})

test('both ends: the stream is freed, what was unread counts until it is read', async t => {
  const { a, b, agent, close } = await pair(plainPair())
  b.end()
  a.end(Buffer.alloc(1_000))
  a.resume()
  await once(a, 'end')
  while (agent.stats.streams > 0) await new Promise(resolve => setTimeout(resolve, 5))
  t.true(agent.stats.promisedBytes >= 1_000)
  t.is((await bytesOf(b)).length, 1_000)
  t.is(agent.stats.promisedBytes, 0)
  await close()
})

test('many tiny frames that nobody reads are kept in few blocks', async t => {
  const { a, b, agent, close } = await pair(plainPair())
  for (let i = 0; i < 20_000; i++) {
    a.write(Buffer.of(i & 0xff))
    if (i % 500 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  a.end()
  while (agent.stats.receivedBytes <= 20_000) await new Promise(resolve => setTimeout(resolve, 5))
  b.end()
  const received = await bytesOf(b)
  t.is(received.length, 20_000)
  t.true(received.every((byte, i) => byte === (i & 0xff)))
  await close()
})
