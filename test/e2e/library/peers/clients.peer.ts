// A program with the library: every client, and what the process is left with in the end.
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { get as getSecurely } from 'node:https'
import type { LookupFunction } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Connection, connect, DialError, KtError } from '../../../../lib/library/connect.ts'
import { eventually } from '../../up/_support/eventually.ts'

const [image = ''] = process.argv.slice(2)
const found: Record<string, unknown> = {}

async function clients(kt: Connection): Promise<void> {
  const stream = await kt.dial('tcp', 'nginx.demo:80')
  stream.end('GET / HTTP/1.0\r\n\r\n')
  found.dial = (await text(stream)).split('\r\n')[0]
  const udp = await kt.dial('udp', 'kube-dns.kube-system:53')
  udp.write(
    Buffer.from('123401000001000000000000056e67696e780464656d6f0373766307636c7573746572056c6f63616c0000010001', 'hex')
  )
  const [datagram] = (await once(udp, 'data')) as [Buffer]
  found.udp = datagram.readUInt16BE(6)
  udp.destroy()
  found.fetch = (await kt.fetch('http://nginx/')).status
  // undici's type and that of Node's own fetch are two.
  const global = await fetch('http://nginx/', { dispatcher: kt.dispatcher } as object)
  found.global = global.status
  await global.text()
  const statusOf = async (asked: ReturnType<typeof get>): Promise<unknown> => {
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    await text(answer)
    return answer.statusCode
  }
  found.agent = await statusOf(get({ agent: kt.agent, host: 'nginx.demo.svc.cluster.local', path: '/' }))
  found.again = await statusOf(get({ agent: kt.agent, host: 'nginx.demo.svc.cluster.local', path: '/' }))
  const secure = { agent: kt.secureAgent, host: 'kubernetes.default.svc', path: '/version', rejectUnauthorized: false }
  found.secure = await statusOf(getSecurely(secure))
}

async function failures(kt: Connection): Promise<void> {
  const codeOf = (error: unknown): string => (error instanceof DialError ? error.code : String(error))
  found.refused = await kt.dial('tcp', 'nobody:80').then(() => '', codeOf)
  found.unknown = await kt.fetch('http://no-such.demo.svc').then(
    () => '',
    (error: Error) => codeOf(error.cause)
  )
  found.usage = await kt.dial('tcp', 'nginx').then(
    () => '',
    (error: unknown) => error instanceof KtError && error.code
  )
  found.abandoned = await kt.dial('tcp', 'blackhole:80', { signal: AbortSignal.timeout(100) }).then(() => '', codeOf)
  const lookup = (host: string, options: object): Promise<unknown> =>
    new Promise(resolve =>
      (kt.lookup as LookupFunction)(host, options, (error, found) => resolve(error?.code ?? found))
    )
  found.lookup = typeof (await lookup('nginx', {}))
  found.all = ((await lookup('nginx', { all: true })) as { family: number }[]).map(({ family }) => family)
  found.nowhere = await lookup('no-such.demo.svc', {})
  found.direct = await lookup('localhost', { family: 4 })
}

async function diversions(kt: Connection): Promise<void> {
  const server = createServer((_, s) => s.end('from here')).listen(18_123, '127.0.0.1')
  // A kept connection would stay where it is, exchange or not.
  const ask = async (url: string): Promise<string> => (await kt.fetch(url, { headers: { connection: 'close' } })).text()
  found.local = await ask('http://127.0.0.1:18123/')
  {
    await using _ = await kt.preview('kt-library-preview', { expose: '18123:80' })
    found.preview = await eventually('from here', 10_000, () => ask('http://kt-library-preview/').catch(String))
  }
  {
    await using _ = await kt.exchange('node-echo', { expose: '18123:80' })
    found.exchange = await eventually('from here', 10_000, () => ask('http://node-echo/').catch(String))
  }
  found.after = await eventually(true, 10_000, async () =>
    /^\{"pod":/.test(await ask('http://node-echo/').catch(String))
  )
  found.notFound = await kt.exchange('no-such-service', { expose: '18123:80' }).then(
    () => '',
    (error: unknown) => error instanceof KtError && error.code
  )
  server.close()
}

{
  // Two at once, of one cluster: each has a pod of its own.
  const options = { namespace: 'demo', image }
  const [kt, other] = await Promise.all([connect(options), connect({ ...options, namespace: 'default' })])
  await using _ = kt
  await using __ = other
  found.namespaces = [kt.namespace, other.namespace]
  found.other = [
    await other.fetch('http://nginx.demo/').then(a => a.status),
    await other.dial('tcp', 'nginx:80').then(
      () => '',
      (e: DialError) => e.code
    )
  ]
  await clients(kt)
  await failures(kt)
  await diversions(kt)
}
const closed = performance.now()
process.once('exit', () => {
  found.exitMs = Math.round(performance.now() - closed)
  process.stdout.write(JSON.stringify(found))
})
