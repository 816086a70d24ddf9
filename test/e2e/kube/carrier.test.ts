import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../../../lib/errors.ts'
import { PODS } from '../../../lib/kube/api/resource.ts'
import { openCarrier } from '../../../lib/kube/carrier/carrier.ts'
import { createShadow } from '../../../lib/kube/shadow/shadow.ts'
import { AGENT_PORT, accountToken, as, ECHO_AGENT, e2e, freshNamespace, IMAGE, PUBLIC_KEY } from './_support/cluster.ts'
import { reverseProxy } from './_support/proxies.ts'

/** Says '!', then the first byte says what to do: E echo, S sink and say how much, slowly, F flood for ever. */
const AGENT = `
const block = Buffer.alloc(65536, 7)
const server = require('node:net').createServer(socket => {
  socket.on('error', () => {})
  socket.write('!')
  socket.once('data', first => {
    const rest = first.subarray(1)
    if (first[0] === 69) { socket.write(rest); socket.pipe(socket) }
    if (first[0] === 70) { const pour = () => { while (socket.write(block)); socket.once('drain', pour) }; pour() }
    if (first[0] === 83) { let n = rest.length; socket.on('data', c => { n += c.length; socket.pause(); setTimeout(() => socket.resume(), 20) }) }
  })
})
server.listen(${AGENT_PORT}, '127.0.0.1'); process.on('SIGTERM', () => process.exit(0))`
/** What may grow in this process while megabytes are offered: our buffers, Node's, and garbage not yet collected. */
const GROWTH_MAX_BYTES = 64 * 1024 * 1024

for (const protocol of ['spdy', 'tunnelled', 'channels'] as const) {
  e2e(
    `${protocol}: bytes both ways, memory against a slow reader, errors in plain words, and the end of a deleted pod`,
    async t => {
      const cluster = await freshNamespace(t)
      const shadow = await createShadow(cluster, {
        image: IMAGE,
        agent: AGENT,
        publicKey: PUBLIC_KEY,
        port: AGENT_PORT
      })
      const open = async () => {
        const carrier = await openCarrier(cluster, { pod: shadow.name, port: AGENT_PORT, protocol })
        t.is(String(await new Promise(done => carrier.once('readable', () => done(carrier.read(1))))), '!')
        return carrier
      }

      const echo = await open()
      const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 253))
      echo.write('E')
      echo.write(sent)
      const chunks: Buffer[] = []
      let length = 0
      for await (const chunk of echo as AsyncIterable<Buffer>) {
        chunks.push(chunk)
        length += chunk.length
        if (length === sent.length) break
      }
      t.true(Buffer.concat(chunks).equals(sent))

      const base = process.memoryUsage().rss
      const sink = await open()
      const block = Buffer.alloc(64 * 1024)
      sink.write('S')
      let offered = 0
      const until = Date.now() + 3_000
      while (Date.now() < until) {
        offered += block.length
        if (!sink.write(block)) await Promise.race([once(sink, 'drain'), sleep(until - Date.now())])
      }
      t.true(sink.writableLength <= 256 * 1024)
      t.true(
        process.memoryUsage().rss - base < GROWTH_MAX_BYTES,
        `grew by ${(process.memoryUsage().rss - base) / 1e6} MB up, ${offered / 1e6} MB taken`
      )
      sink.destroy()

      const flood = await open()
      flood.write('F')
      await once(flood, 'readable') // and never read
      await sleep(2_000)
      t.true(flood.readableLength <= 256 * 1024)
      t.true(
        process.memoryUsage().rss - base < GROWTH_MAX_BYTES,
        `grew by ${(process.memoryUsage().rss - base) / 1e6} MB down`
      )
      flood.destroy()

      const deaf = await openCarrier(cluster, { pod: shadow.name, port: 9, protocol })
      const refused = await t.throwsAsync(once(deaf.resume(), 'end'), {
        instanceOf: KtError,
        message: /port 9 failed: nothing listens there/
      })
      t.is(refused?.code, 'KT_CARRIER_REFUSED')

      const last = await open()
      last.write('Ehello')
      await once(last, 'data')
      const closed = once(last.resume(), 'close').catch(() => {})
      await shadow.remove()
      await closed
      t.true(last.destroyed)
      const gone = await t.throwsAsync(open(), { instanceOf: KtError, message: /not found/ })
      t.is(gone?.code, 'KT_NOT_FOUND')
    }
  )
}

e2e('a proxy that refuses SPDY, bare or also in a WebSocket: the next protocol, at once the next time', async t => {
  const cluster = await freshNamespace(t)
  const shadow = await createShadow(cluster, {
    image: IMAGE,
    agent: ECHO_AGENT,
    publicKey: PUBLIC_KEY,
    port: AGENT_PORT
  })
  const { certificate, key } = await cluster.credentials.current()
  const tls = { cert: certificate!, key: key!, rejectUnauthorized: false }
  const refused = ['portforward.k8s.io', 'SPDY/3.1+portforward.k8s.io']
  for (const count of [2, 1, 0]) {
    // Without a refusal it is SPDY: one connection, and no fallback that nobody notices.
    const rewrite = (path: string): string => (count < 2 && path.includes('ports=') ? '/refused' : path)
    const proxy = await reverseProxy(t, cluster.server.href, tls, '/k', rewrite, refused.slice(0, count))
    const behind = await as(t, cluster.namespace, {}, { server: `${proxy.url}/k` })
    for (const connections of [count + 1, 1]) {
      const before = proxy.count()
      const carrier = await openCarrier(behind, { pod: shadow.name, port: AGENT_PORT })
      carrier.write('hello')
      let text = ''
      for await (const chunk of carrier as AsyncIterable<Buffer>) {
        text += String(chunk)
        if (text.length === 6) break
      }
      t.is(text, '!hello')
      t.is(proxy.count() - before, connections)
    }
  }
})

e2e('a pod that waits for a node, and rights without portforward', async t => {
  const cluster = await freshNamespace(t)
  const container = { name: 'x', image: IMAGE }
  const body = { metadata: { name: 'stuck' }, spec: { nodeSelector: { moon: 'full' }, containers: [container] } }
  await cluster.api.call({ ...PODS, verb: 'create', namespace: cluster.namespace, body })
  const waiting = await t.throwsAsync(openCarrier(cluster, { pod: 'stuck', port: 1 }), {
    instanceOf: KtError,
    message: /stuck.*does not have a host assigned/
  })
  t.is(waiting?.code, 'KT_CARRIER_REFUSED')
  const guest = await as(t, cluster.namespace, {
    token: await accountToken(cluster, [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }])
  })
  const denied = await t.throwsAsync(openCarrier(guest, { pod: 'stuck', port: 1 }), {
    instanceOf: KtError,
    message: /may not get pods\/portforward in namespace/
  })
  t.is(denied?.code, 'KT_FORBIDDEN')
  t.regex(denied?.hint ?? '', /--verb=get --resource=pods\/portforward/)
})
