// Whatever a client says to the proxy: no exception, and another client is served as before.
import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { encodeDatagram } from '../../lib/proxy/socks.ts'
import { bytesOf } from '../compliance/duplex.ts'
import { listen, startProxy } from '../proxy/_proxy.ts'

const LIMIT_MS = Number(process.env.KT_FUZZ_MS ?? 10_000)
const OPTIONS = { numRuns: Number.POSITIVE_INFINITY, interruptAfterTimeLimit: LIMIT_MS, markInterruptAsFailure: false }

/** Bytes without form, and the beginnings of good conversations with something else behind them. */
const beginning = fc.constantFrom(
  Buffer.alloc(0),
  Buffer.from([5, 1, 0]),
  Buffer.from([5, 1, 0, 5, 1, 0, 3]),
  Buffer.from([4, 1, 0, 80, 0, 0, 0, 1]),
  Buffer.from('CONNECT '),
  Buffer.from('GET http://web.demo:1/ HTTP/1.1\r\nHost: '),
  Buffer.from(encodeDatagram('web.demo', 1, Buffer.from('x')))
)
const conversation = fc.tuple(beginning, fc.uint8Array({ maxLength: 300 })).map(parts => Buffer.concat(parts))

test('conversations without sense', async t => {
  t.timeout(LIMIT_MS + 30_000)
  const { port } = await startProxy(t)
  const target = await listen(t, socket => socket.pipe(socket))
  const property = fc.asyncProperty(conversation, async bytes => {
    const rude = connect(port, '127.0.0.1')
    rude.on('error', () => {}).resume()
    rude.end(bytes)
    await once(rude, 'close')
    const good = connect(port, '127.0.0.1')
    good.end(`CONNECT web.demo:${target} HTTP/1.1\r\nHost: x\r\n\r\nhello`)
    return String(await bytesOf(good)).endsWith('hello')
  })
  await fc.assert(property, OPTIONS)
  t.pass()
})
