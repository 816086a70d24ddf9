// The bundle in its router role, as a process: its file, its status, its end.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import type { RouterStatus } from '../../../lib/router/status.ts'
import { startAgent } from '../../_support/agent.ts'
import { freePort, listening, say, versionRoute } from './_router.ts'

/** A change is in force within 0.25 s; a busy machine may take longer to say so. */
const LIMIT_MS = 3_000

interface Folder {
  path: string
  /** As the kubelet does: a new folder, and a link that is replaced. */
  write(text: string): void
}

function configMapFolder(): Folder {
  const root = mkdtempSync(join(tmpdir(), 'kt-routes-'))
  let count = 0
  symlinkSync('..data/routes.json', join(root, 'routes.json'))
  return {
    path: root,
    write(text) {
      count += 1
      const name = `..${count}`
      mkdirSync(join(root, name))
      writeFileSync(join(root, name, 'routes.json'), text)
      symlinkSync(name, join(root, '..new'))
      renameSync(join(root, '..new'), join(root, '..data'))
    }
  }
}

async function statusOf(port: number): Promise<RouterStatus> {
  const [response] = (await once(get({ port, host: '127.0.0.1' }), 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return JSON.parse(text) as RouterStatus
}

test.serial('the file is read again, a bad one is reported and not used; SIGTERM lets callers finish', async t => {
  const server = createServer((_request, response) => response.end('original'))
  const laptop = createServer((_request, response) => void sleep(400).then(() => response.end('laptop')))
  const [original, atLaptop, port] = [await listening(server), await listening(laptop), await freePort()]
  const base = { version: 1, service: 'shop', originals: '127.0.0.1', ports: [{ port, network: 'tcp', original }] }
  const folder = configMapFolder()
  folder.write(JSON.stringify({ ...base, routes: [] }))
  const agent = await startAgent({ KT_ROLE: 'router', KT_ROUTES: join(folder.path, 'routes.json') })
  t.teardown(async () => {
    await agent.stop()
    rmSync(folder.path, { recursive: true })
    for (const each of [server, laptop]) {
      each.closeAllConnections()
      each.close()
    }
  })
  const request = 'GET / HTTP/1.1\r\nHost: a\r\nVERSION: one\r\nConnection: close\r\n\r\n'
  t.regex((await say(port, [request])).text, /original$/)

  const text = JSON.stringify({ ...base, routes: [versionRoute('one', port, atLaptop)] })
  folder.write(text)
  const began = performance.now()
  while ((await statusOf(agent.port)).routes.length === 0) await sleep(10)
  t.true(performance.now() - began < LIMIT_MS)
  t.is((await statusOf(agent.port)).loaded, createHash('sha256').update(text).digest('hex'))
  t.regex((await say(port, [request])).text, /laptop$/)

  const problemAfter = async (bad: string, expected: string): Promise<void> => {
    folder.write(bad)
    const deadline = performance.now() + LIMIT_MS
    let problem: string | undefined
    while (problem !== expected && performance.now() < deadline) ({ problem } = await statusOf(agent.port))
    t.is(problem, expected)
  }
  await problemAfter('{', 'the configuration must be JSON')
  t.regex((await say(port, [request])).text, /laptop$/)
  const other = JSON.stringify({ ...base, originals: 'other', routes: [] })
  await problemAfter(other, 'originals must stay as they are while the pod lives')
  await problemAfter(text, '')
  t.is((await statusOf(agent.port)).routes[0]?.requests, 2)

  const late = say(port, [request], 5_000)
  await sleep(100)
  const exited = once(agent.child, 'exit')
  agent.child.kill('SIGTERM')
  t.regex((await late).text, /laptop$/)
  t.regex((await say(port, [request], 5_000)).text, /laptop$/, 'the cluster has not heard of it yet')
  const [code] = (await exited) as [number]
  t.is(code, 0)
})

test.serial('the port of readiness opens when all others listen, and closes at once', async t => {
  const [port, ready] = [await freePort(), await freePort()]
  const folder = configMapFolder()
  const ports = [
    { port, network: 'tcp', original: 9 },
    { port, network: 'udp', original: 9 }
  ]
  folder.write(JSON.stringify({ version: 1, service: 'shop', originals: '127.0.0.1', ports, routes: [] }))
  const agent = await startAgent({
    KT_ROLE: 'router',
    KT_ROUTES: join(folder.path, 'routes.json'),
    KT_READY: String(ready)
  })
  const probe = connect(ready, '127.0.0.1')
  await once(probe, 'connect')
  probe.destroy()
  await once(connect(port, '127.0.0.1').end(), 'connect')
  agent.child.kill('SIGTERM')
  await sleep(300)
  const [error] = (await once(connect(ready, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNREFUSED')
  await agent.stop()
  rmSync(folder.path, { recursive: true })
})

test.serial('a first file that is not valid ends it, and says why', async t => {
  const error = await t.throwsAsync(startAgent({ KT_ROLE: 'router', KT_ROUTES: '/no/such/file' }))
  t.regex(error.message, /ended with 1: ENOENT/)
})
