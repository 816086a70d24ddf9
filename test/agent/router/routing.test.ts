// Who gets which request; and what happens when the pod of a route is not there.
import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage, type Server } from 'node:http'
import { connect, createServer as createTcpServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { bytesOf } from '../../compliance/duplex.ts'
import { freePort, listening, nextBytes, say, startRouter, until, versionRoute } from './_router.ts'

/** Says who it is. */
function named(name: string): Server {
  return createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end(name))
  })
}

async function text(port: number, version: string | undefined, agent: Agent | false = false): Promise<string> {
  const headers = version === undefined ? {} : { VERSION: version }
  const [response] = (await once(get({ port, host: '127.0.0.1', headers, agent }), 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return body
}

async function close(...servers: Server[]): Promise<void> {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  await sleep(10)
}

test.serial(
  '2,000 requests with random headers on 50 kept connections: each reaches exactly the right one',
  async t => {
    const servers = ['original', 'one', 'two'].map(named)
    const [original, one, two] = await Promise.all(servers.map(server => listening(server)))
    const router = await startRouter(original!, port => [
      versionRoute('one', port, one!),
      versionRoute('two', port, two!)
    ])
    const agent = new Agent({ keepAlive: true, maxSockets: 50 })
    const wrong: string[] = []
    let count = 0
    const lane = async (): Promise<void> => {
      while (count < 2_000) {
        count += 1
        const version = [undefined, 'one', 'two', 'three'][Math.floor(Math.random() * 4)]
        const expected = version === 'one' || version === 'two' ? version : 'original'
        const said = await text(router.port, version, agent)
        if (said !== expected) wrong.push(`${version}: ${said}`)
      }
    }
    await Promise.all(Array.from({ length: 50 }, lane))
    t.deepEqual(wrong, [])
    const { originals, routes } = router.status
    t.is(originals.requests + routes[0]!.requests + routes[1]!.requests, count)
    t.deepEqual(
      routes.map(({ passedOn }) => passedOn),
      [0, 0]
    )
    agent.destroy()
    await close(...servers)
    await router.close()
  }
)

test.serial('routes come and go while connections stay', async t => {
  const [original, one] = [named('original'), named('one')]
  const [atOriginal, atOne] = [await listening(original), await listening(one)]
  const router = await startRouter(atOriginal)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.is(await text(router.port, 'one', agent), 'original')
  router.load([versionRoute('one', router.port, atOne)])
  t.is(await text(router.port, 'one', agent), 'one')
  t.is(await text(router.port, 'other', agent), 'original')
  router.load([])
  t.is(await text(router.port, 'one', agent), 'original')
  agent.destroy()
  await close(original, one)
  await router.close()
})

test.serial('a server that closes an idle connection does not end what another one is answering', async t => {
  const original = named('original')
  const slow = createServer((_request, response) => void sleep(300).then(() => response.end('slow')))
  const atSlow = await listening(slow)
  const router = await startRouter(await listening(original), port => [versionRoute('one', port, atSlow)])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.is(await text(router.port, undefined, agent), 'original')
  const answer = text(router.port, 'one', agent)
  await sleep(100)
  original.closeAllConnections()
  t.is(await answer, 'slow')
  agent.destroy()
  await close(original, slow)
  await router.close()
})

test.serial('the pod is removed: callers who say nothing do not keep it', async t => {
  const original = named('original')
  const router = await startRouter(await listening(original))
  const silent = connect(router.port, '127.0.0.1')
  await once(silent, 'connect')
  const began = performance.now()
  const ended = once(silent.resume(), 'end')
  await router.close()
  await ended
  t.true(performance.now() - began < 6_000)
  await close(original)
})

test.serial('the pod of a route is gone: the original answers, bodies and all', async t => {
  const original = named('original')
  const router = await startRouter(await listening(original), port => [versionRoute('one', port, 9)])
  t.is(await text(router.port, 'one'), 'original')
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nVERSION: one\r\nContent-Length: 5\r\n\r\nhe'
  t.regex((await say(router.port, [post, 'llo'], 300)).text, /original$/)
  t.is(router.status.routes[0]?.passedOn, 2)
  await close(original)
  await router.close()
})

test.serial('a kept connection dies under a request: asked again if that may be', async t => {
  const original = named('original')
  let requests = 0
  const dying = createTcpServer(socket => {
    socket.on('error', () => {})
    socket.on('data', () => {
      requests += 1
      if (requests % 2 === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndying')
      else socket.resetAndDestroy()
    })
  })
  const atDying = await listening(dying)
  const router = await startRouter(await listening(original), port => [versionRoute('one', port, atDying)])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.is(await text(router.port, 'one', agent), 'dying')
  t.is(await text(router.port, 'one', agent), 'original')
  agent.destroy()
  const request = (method: string): string =>
    `${method} / HTTP/1.1\r\nHost: a\r\nVERSION: one\r\nContent-Length: 0\r\n\r\n`
  const { text: said, end } = await say(router.port, [request('GET'), request('POST')], 500)
  t.regex(said, /dying$/)
  t.is(end, 'RST', 'a POST may have been worked on')
  dying.close()
  await close(original)
  await router.close()
})

test.serial('a connection to a route is used for a second, then the shadow decides anew', async t => {
  const [original, one] = [named('original'), named('one')]
  const atOne = await listening(one)
  let connections = 0
  one.on('connection', () => {
    connections += 1
  })
  const router = await startRouter(await listening(original), port => [versionRoute('one', port, atOne)])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let i = 0; i < 3; i++) t.is(await text(router.port, 'one', agent), 'one')
  t.is(connections, 1)
  await sleep(1_050)
  t.is(await text(router.port, 'one', agent), 'one')
  t.is(connections, 2)
  agent.destroy()
  await close(original, one)
  await router.close()
})

test.serial('what is not HTTP goes to the original as it is: TLS, and servers that speak first', async t => {
  const echo = createTcpServer({ allowHalfOpen: true }, socket => socket.pipe(socket))
  const router = await startRouter(await listening(echo))
  const hello = Buffer.from('16030100050100000100', 'hex')
  t.is(
    (await say(router.port, [hello, '\0\r\nGET / HTTP/1.1\n\n'], 1_000, true)).text,
    `${hello.toString('latin1')}\0\r\nGET / HTTP/1.1\n\n`
  )
  echo.close()

  const greeter = createTcpServer(socket => socket.end('220 welcome\r\n'))
  const mail = await startRouter(await listening(greeter))
  const socket = connect(mail.port, '127.0.0.1')
  t.is(String(await bytesOf(socket)), '220 welcome\r\n')
  socket.destroy()
  greeter.close()
  await router.close()
  await mail.close()
})

test.serial('a caller that thinks before his first request is routed by it', async t => {
  const [original, one] = [named('original'), named('one')]
  const atOne = await listening(one)
  const router = await startRouter(await listening(original), port => [versionRoute('one', port, atOne)])
  const socket = connect(router.port, '127.0.0.1')
  await sleep(400)
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nversion: one\r\n')
  await sleep(20)
  socket.write('\r\n')
  t.regex(await nextBytes(socket), /one$/)
  socket.destroy()
  await close(original, one)
  await router.close()
})

test.serial('the pod is removed: those who are being served finish, and hear that it was the last time', async t => {
  const slow = createServer((_request, response) => void sleep(300).then(() => response.end('slow')))
  const router = await startRouter(await listening(slow))
  const [busy, idle] = [connect(router.port, '127.0.0.1'), connect(router.port, '127.0.0.1')]
  for (const socket of [busy, idle]) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await Promise.all([nextBytes(busy), nextBytes(idle)])
  busy.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const drained = router.close()
  const answer = await nextBytes(busy)
  t.regex(answer, /\r\nConnection: close\r\n\r\nslow$/)
  t.notRegex(answer, /keep-alive/i)
  await sleep(20)
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  t.regex(await nextBytes(idle), /Connection: close\r\n\r\nslow$/)
  await drained
  t.is(router.status.callers, 0)
  await close(slow)
})

test.serial(
  'the pod is removed while an answer is under way, which cannot say so any more: the next one does',
  async t => {
    const slow = createServer((_request, response) => {
      response.write('begin ')
      setTimeout(() => response.end('end'), 100)
    })
    const router = await startRouter(await listening(slow))
    const socket = connect(router.port, '127.0.0.1')
    let text = ''
    socket.on('data', bytes => {
      text += bytes.toString('latin1')
    })
    const answered = (): boolean => text.endsWith('\r\n0\r\n\r\n')
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => text.includes('begin'))
    const drained = router.close()
    await until(answered)
    t.notRegex(text, /Connection: close/)
    text = ''
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
    await until(answered)
    t.regex(text, /Connection: close/)
    await drained
    await close(slow)
  }
)

test.serial('a copy for the laptop: the original answers, whatever the laptop does', async t => {
  const original = named('original')
  const copies: string[] = []
  const laptop = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => {
      body += String(chunk)
    })
    request.on('end', () => {
      copies.push(`${request.method} ${request.url} ${body}`)
      setTimeout(() => response.end('late'), 200)
    })
  })
  const atLaptop = await listening(laptop)
  const atOriginal = await listening(original)
  const router = await startRouter(atOriginal, port => [versionRoute('one', port, atLaptop, { mirror: true })])
  const post = 'POST /a HTTP/1.1\r\nHost: a\r\nVERSION: one\r\nConnection: close\r\nContent-Length: 5\r\n\r\n'
  const began = performance.now()
  t.regex((await say(router.port, [post, 'hello'], 100)).text, /original$/)
  t.true(performance.now() - began < 190)
  await until(() => copies.length === 1)
  t.deepEqual(copies, ['POST /a hello'])
  t.is(router.status.routes[0]?.copies, 1)

  const deaf = createTcpServer(socket => socket.pause())
  const atDeaf = await listening(deaf)
  for (const [name, port] of [
    ['dead', await freePort()],
    ['deaf', atDeaf]
  ] as const) {
    router.load([versionRoute(name, router.port, port, { mirror: true })])
    const large = `POST / HTTP/1.1\r\nHost: a\r\nVERSION: ${name}\r\nConnection: close\r\nContent-Length: 16777216\r\n\r\n`
    t.regex((await say(router.port, [large + 'a'.repeat(16_777_216)], 3_000)).text, /original$/, name)
    t.is(router.status.routes[0]?.dropped, 1, name)
  }
  deaf.close()
  await close(original, laptop)
  await router.close()
})
