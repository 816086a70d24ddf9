// The agent's port for `kt bench`: what comes from it, what it says it has, and when it is open.
import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import { download, echoes, upload } from '../../lib/tunnel/traffic.ts'
import type { TunnelError } from '../../lib/tunnel/tunnel.ts'
import { startAgent, tunnelTo } from '../_support/agent.ts'

const agent = await startAgent()
const { tunnel, session } = await tunnelTo(agent)

test.after.always(async () => {
  await session.close()
  await agent.stop()
})

test.serial('a source, a sink and an echo: through the tunnel, and straight at the port', async t => {
  const { port, close } = await tunnel.traffic()
  t.teardown(close)
  const ways = [() => tunnel.dial('127.0.0.1', port), async () => connect({ port, host: '127.0.0.1' })]
  for (const way of ways) {
    t.true((await download(await way(), 200)) > 1)
    t.true((await upload(await way(), 200)) > 1)
    const times = await echoes(await way(), 200)
    t.true(times.length > 0)
    t.deepEqual(
      times,
      times.toSorted((a, b) => a - b)
    )
  }
})

test.serial('four at a time, each closed with its stream', async t => {
  const open = [await tunnel.traffic(), await tunnel.traffic(), await tunnel.traffic(), await tunnel.traffic()]
  t.is(new Set(open.map(({ port }) => port)).size, 4)
  const error = await t.throwsAsync<TunnelError>(tunnel.traffic())
  t.regex(error?.message ?? '', /busy/)
  for (const { close } of open) close()
  const { port } = open[0]!
  let answer = ''
  for (const until = Date.now() + 10_000; answer !== 'ECONNREFUSED' && Date.now() < until; ) answer = await knock(port)
  t.is(answer, 'ECONNREFUSED')
})

/** What becomes of a connection: `connected`, or the code of the error. */
function knock(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  return new Promise(resolve => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('connect', () => {
      resolve('connected')
      socket.destroy()
    })
  })
}

test.serial('a caller who wants nothing known is let go', async t => {
  const { port, close } = await tunnel.traffic()
  const stranger = connect({ port, host: '127.0.0.1' })
  stranger.on('error', () => {}) // a reset is a way to be let go, too
  stranger.write('?')
  stranger.resume()
  await once(stranger, 'close')
  close()
  t.pass()
})
