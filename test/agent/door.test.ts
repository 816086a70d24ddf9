// Who gets in, who is turned away, and when the agent leaves.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import test from 'ava'
import { clientHandshake, type HandshakeError } from '../../lib/tunnel/handshake.ts'
import { bundleAgent } from '../../scripts/bundle-agent.ts'
import { keyPair, startAgent, tunnelTo } from '../_support/agent.ts'

test('the bundle is one small file without packages', async t => {
  const text = await bundleAgent()
  t.true(text.length < 200_000)
  const required = [...text.matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name!)
  t.true(required.length > 0)
  t.true(
    required.every(name => name.startsWith('node:')),
    required.join(' ')
  )
})

test('a wrong key is told to both sides, and the agent goes on', async t => {
  const agent = await startAgent()
  const stranger = clientHandshake(await agent.dial(), { privateKey: keyPair().privateKey })
  t.is((await t.throwsAsync<HandshakeError>(stranger)).reason, 'wrong-key')
  const { tunnel, session } = await tunnelTo(agent)
  t.is((await tunnel.facts()).node, process.version)
  t.true(agent.log.some(line => line.includes('refused a carrier')))
  await session.close()
  await agent.stop()
})

test('strangers who say nothing are limited in number and do not stop the owner', async t => {
  const agent = await startAgent()
  const strangers = await Promise.all(Array.from({ length: 15 }, () => agent.dial()))
  for (const stranger of strangers) stranger.on('error', () => {}).write('GET / HTTP/1.1\r\n')
  const { session } = await tunnelTo(agent)
  t.is(session.stats.streams, 0)
  const silent = await Promise.all(Array.from({ length: 40 }, () => agent.dial()))
  for (const one of silent) one.on('error', () => {}).resume()
  await Promise.race(silent.map(one => once(one, 'close')))
  t.pass()
  for (const one of [...silent, ...strangers]) one.destroy()
  await session.close()
  await agent.stop()
})

test('a new carrier of the owner replaces the session', async t => {
  const agent = await startAgent()
  const first = await tunnelTo(agent)
  const second = await tunnelTo(agent)
  t.is((await first.session.closed).code, 'replaced')
  t.is(first.instance, second.instance)
  t.is((await second.tunnel.facts()).instance, second.instance)
  await second.session.close()
  await agent.stop()
})

test('without a session for long enough the agent ends itself; SIGTERM ends it at once', async t => {
  const orphan = await startAgent({ KT_ORPHAN_SECONDS: '2' })
  const { session } = await tunnelTo(orphan)
  await new Promise(resolve => setTimeout(resolve, 2_500))
  t.is(orphan.child.exitCode, null)
  await session.close()
  t.deepEqual(await once(orphan.child, 'exit'), [0, null])
  const other = await startAgent()
  const live = await tunnelTo(other)
  const exit = once(other.child, 'exit')
  other.child.kill('SIGTERM')
  t.deepEqual(await exit, [0, null])
  t.is((await live.session.closed).code, 'done')
})

test('a missing key is one line and exit code 1', async t => {
  const error = await t.throwsAsync(startAgent({ KT_PUBLIC_KEY: 'nothing' }))
  t.regex(error.message, /ended with 1: KT_PUBLIC_KEY holds no public key/)
})

const stock = '/usr/bin/node'
const major = existsSync(stock) ? Number(execFileSync(stock, ['-p', 'process.versions.node.split(".")[0]'])) : 0
const stockTest = major >= 20 ? test : test.skip
stockTest(`the bundle runs on the system's own Node (${major || 'none'})`, async t => {
  const agent = await startAgent({}, stock)
  const { tunnel, session } = await tunnelTo(agent)
  t.regex((await tunnel.facts()).node, new RegExp(`^v${major}\\.`))
  await session.close()
  await agent.stop()
})
