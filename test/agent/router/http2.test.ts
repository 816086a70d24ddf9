// HTTP/2 with prior knowledge: the same directly and through the router, each stream on its own.
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session
} from 'node:http2'
import type { Server } from 'node:net'
import test from 'ava'
import { listening, type RunningRouter, startRouter, until, versionRoute } from './_router.ts'

const sessions = new Set<ServerHttp2Session>()
const aborted: string[] = []

function serve(name: string): Http2Server {
  const server = createServer({ settings: { maxHeaderListSize: 200_000 }, maxSendHeaderBlockLength: 300_000 })
  server.on('session', session => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => {})
  })
  server.on('stream', (stream, headers, _flags, raw: string[]) => {
    stream.on('error', () => {})
    const path = String(headers[':path'])
    stream.on('close', () => {
      if (stream.rstCode !== 0) aborted.push(path)
    })
    if (path === '/hang') return
    if (path === '/refuse') {
      stream.close(7)
      return
    }
    if (path === '/hints') stream.additionalHeaders({ ':status': 103, link: '</a>' })
    let bytes = 0
    stream.on('data', chunk => {
      bytes += chunk.length
    })
    let trailers: unknown
    stream.on('trailers', (_headers, _f, lines) => {
      trailers = lines
    })
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'x-two': ['1', '2'], 'set-cookie': ['a=1', 'b=2'], server: name }, {
        waitForTrailers: path === '/trailers',
        sendDate: false
      } as object)
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': 'yes' }))
      if (path === '/large') stream.end(Buffer.alloc(20_000_000, 'a'))
      else
        stream.end(
          JSON.stringify({ name, raw: raw.filter((_, i) => raw[i - (i % 2)] !== ':authority'), bytes, trailers })
        )
    })
  })
  return server
}

interface Told {
  headers: IncomingHttpHeaders
  raw: string[]
  infos: IncomingHttpHeaders[]
  trailers: unknown
  text: string
  bytes: number
  code: number
}

function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: Buffer,
  trailers?: OutgoingHttpHeaders
): Promise<Told> {
  return new Promise(resolve => {
    const stream = session.request(
      { ':authority': 'shop', ...headers },
      { endStream: body === undefined, waitForTrailers: trailers !== undefined }
    )
    const told: Told = { headers: {}, raw: [], infos: [], trailers: undefined, text: '', bytes: 0, code: 0 }
    stream.on('wantTrailers', () => stream.sendTrailers(trailers!))
    stream.on('headers', info => told.infos.push({ ...info }))
    stream.on('response', (response, _flags, raw?: string[]) => {
      told.headers = { ...response }
      told.raw = raw ?? []
    })
    stream.on('trailers', (_headers, _flags, raw) => {
      told.trailers = raw
    })
    stream.on('data', (chunk: Buffer) => {
      told.bytes += chunk.length
      if (told.bytes < 5_000) told.text += String(chunk)
    })
    stream.on('error', () => {})
    stream.on('close', () => resolve({ ...told, code: stream.rstCode ?? 0 }))
    if (body !== undefined) stream.end(body)
  })
}

let original: Http2Server
let laptop: Http2Server
let router: RunningRouter
let direct: ClientHttp2Session
let through: ClientHttp2Session

test.before(async () => {
  ;[original, laptop] = [serve('original'), serve('laptop')]
  const [atOriginal, atLaptop] = [
    await listening(original as unknown as Server),
    await listening(laptop as unknown as Server)
  ]
  router = await startRouter(atOriginal, port => [versionRoute('one', port, atLaptop)])
  const options = { maxSendHeaderBlockLength: 300_000, settings: { maxHeaderListSize: 200_000 } }
  ;[direct, through] = [
    connect(`http://127.0.0.1:${atOriginal}`, options),
    connect(`http://127.0.0.1:${router.port}`, options)
  ]
})

test.after.always(async () => {
  direct.destroy()
  through.destroy()
  original.close()
  laptop.close()
  for (const session of sessions) session.destroy()
  await router.close()
})

const ROWS: Record<string, (session: ClientHttp2Session) => Promise<Told>> = {
  GET: session => ask(session, { ':path': '/a?b' }),
  HEAD: session => ask(session, { ':path': '/', ':method': 'HEAD' }),
  'POST of 3 MB': session => ask(session, { ':path': '/', ':method': 'POST' }, Buffer.alloc(3_000_000)),
  'POST of nothing': session => ask(session, { ':path': '/', ':method': 'POST' }, Buffer.alloc(0)),
  '20 MB down': session => ask(session, { ':path': '/large' }),
  'trailers both ways': session =>
    ask(session, { ':path': '/trailers', ':method': 'POST', te: 'trailers' }, Buffer.from('abc'), { 'x-sum': '6' }),
  'interim answers': session => ask(session, { ':path': '/hints' }),
  'duplicate headers': session => ask(session, { ':path': '/', 'x-a': ['1', '2'], cookie: ['a=1', 'b=2'] }),
  'a header of 60 KiB': async session => {
    const told = await ask(session, { ':path': '/', 'x-large': 'a'.repeat(61_440) })
    return { ...told, text: told.text.slice(0, 100) }
  },
  'a refused stream': session => ask(session, { ':path': '/refuse' })
}

for (const [name, row] of Object.entries(ROWS)) {
  test.serial(`the same directly and through the router: ${name}`, async t => {
    const expected = await row(direct)
    t.true(expected.code !== 0 || Number(expected.headers[':status']) === 200)
    t.deepEqual(await row(through), expected)
  })
}

test.serial('100 streams at once, each on its own', async t => {
  const names = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const { text } = await ask(through, { ':path': `/${i}`, ...(i % 2 === 0 ? { version: 'one' } : {}) })
      return (JSON.parse(text) as { name: string }).name
    })
  )
  t.true(names.every((name, i) => name === (i % 2 === 0 ? 'laptop' : 'original')))
})

test.serial('a caller that gives up is gone for the server, too', async t => {
  const stream = through.request({ ':path': '/hang' })
  stream.on('error', () => {})
  await new Promise(resolve => setTimeout(resolve, 50))
  stream.close(8)
  await until(() => aborted.includes('/hang'))
  t.pass()
})

test.serial('a server that goes takes its streams with it, and the next ones find another', async t => {
  const hanging = ask(through, { ':path': '/hang', ':method': 'POST' }, Buffer.from('a'))
  await new Promise(resolve => setTimeout(resolve, 50))
  for (const session of sessions) session.destroy()
  t.not((await hanging).code, 0)
  t.is(Number((await ask(through, { ':path': '/' })).headers[':status']), 200)
})
