// The dashboard's server over real HTTP: who gets in, who does not, and what is documented.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import fastify from 'fastify'
import { Feed } from '../../lib/dashboard/feed.ts'
import { Guard } from '../../lib/dashboard/guard.ts'
import type { PageSession, Update } from '../../lib/dashboard/model.ts'
import { OPENAPI } from '../../lib/dashboard/openapi.ts'
import { addRoutes, type Dashboard, serveDashboard } from '../../lib/dashboard/server.ts'
import { FakeSession } from './_shown.ts'

const FILES = { 'index.html': '<p>page', 'page.js': '', 'page.css': '', 'icon.svg': '<svg/>' }

interface Ground {
  shown: FakeSession
  dashboard: Dashboard
  /** Ask; headers replace those of a browser on the page's own origin. */
  ask(method: string, path: string, headers?: Record<string, string>, body?: unknown): Promise<Answer>
}

interface Answer {
  status: number
  headers: IncomingMessage['headers']
  text: string
}

async function ground(t: ExecutionContext): Promise<Ground> {
  const shown = new FakeSession()
  const dashboard = await serveDashboard({ shown, files: FILES, port: 0 })
  t.teardown(() => dashboard.close())
  const { port } = dashboard
  const ask: Ground['ask'] = async (method, path, headers = {}, body) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const q = request({ port, host: '127.0.0.1', method, path, headers: { ...json, ...headers } })
    q.end(body === undefined ? undefined : JSON.stringify(body))
    const [s] = (await once(q, 'response')) as [IncomingMessage]
    let text = ''
    for await (const part of s.setEncoding('utf8')) text += part
    return { status: s.statusCode!, headers: s.headers, text }
  }
  return { shown, dashboard, ask }
}

/** Headers of a browser that has opened the link. */
async function opened({ dashboard, ask }: Ground): Promise<{ cookie: string; origin: string; 'x-kt-csrf': string }> {
  const link = new URL(dashboard.address().url)
  const { status, headers } = await ask('GET', `${link.pathname}${link.search}`)
  if (status !== 303) throw new Error(`the link was answered ${status}`)
  const cookie = headers['set-cookie']![0]!.split(';')[0]!
  const { text } = await ask('GET', '/api/session', { cookie })
  return { cookie, origin: link.origin, 'x-kt-csrf': (JSON.parse(text) as PageSession).csrf }
}

const WISH = { kind: 'exchange', service: 'nginx', expose: '3000:80' }

test('a link opens the page once; its cookie is for this page alone', async t => {
  const all = await ground(t)
  const { dashboard, ask } = all
  const link = new URL(dashboard.address().url)
  const first = await ask('GET', link.pathname + link.search)
  t.is(first.status, 303)
  t.is(first.headers.location, '/')
  t.regex(first.headers['set-cookie']![0]!, /^kt-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  const second = await ask('GET', link.pathname + link.search)
  t.is(second.status, 401)
  t.is(second.headers['set-cookie'], undefined)
  t.is((await ask('GET', '/open?token=')).status, 401)
  const page = await ask('GET', '/', { cookie: first.headers['set-cookie']![0]!.split(';')[0]! })
  t.like(page, { status: 200, text: '<p>page' })
})

test('a link that nobody opens in five minutes is void', t => {
  const guard = new Guard(80)
  const token = guard.link(0)
  t.is(guard.open(token, 300_001), undefined)
  t.not(guard.open(guard.link(0), 299_999), undefined)
})

test('without the cookie nothing but the link is answered', async t => {
  const { ask } = await ground(t)
  for (const path of ['/', '/page.js', '/metrics', '/api/session', '/api/status', '/api/events', '/nothing']) {
    t.is((await ask('GET', path)).status, 401, path)
    t.is((await ask('GET', path, { cookie: 'kt-1=x; kt=y' })).status, 401, path)
    t.is((await ask('GET', path, { authorization: 'Bearer x' })).status, 401, path)
  }
})

test('another name for 127.0.0.1 is refused, whatever it brings', async t => {
  const all = await ground(t)
  const { cookie } = await opened(all)
  const { port } = all.dashboard
  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1.evil.example:${port}`]) {
    t.is((await all.ask('GET', '/api/status', { cookie, host })).status, 403, host)
    t.is((await all.ask('GET', `/open?token=x`, { host })).status, 403, host)
  }
  t.is((await all.ask('GET', '/api/status', { cookie, host: `localhost:${port}` })).status, 200)
})

test('what changes something wants our origin and our token', async t => {
  const all = await ground(t)
  const { ask, shown, dashboard } = all
  const own = await opened(all)
  const refused = [
    { ...own, origin: 'https://evil.example' },
    { ...own, origin: 'null' },
    { ...own, origin: `http://127.0.0.1:${dashboard.port + 1}` },
    { ...own, 'sec-fetch-site': 'cross-site' },
    { ...own, 'x-kt-csrf': 'wrong' },
    { cookie: own.cookie, origin: own.origin },
    { cookie: own.cookie, 'x-kt-csrf': own['x-kt-csrf'] },
    { origin: own.origin, 'x-kt-csrf': own['x-kt-csrf'] }
  ]
  for (const headers of refused) {
    const { status } = await ask('POST', '/api/works', headers, WISH)
    t.true(status === 401 || status === 403, JSON.stringify(headers))
    t.true([401, 403].includes((await ask('DELETE', '/api/works/1', headers)).status))
  }
  t.deepEqual(shown.begun, [])
  t.is((await ask('POST', '/api/works', own, WISH)).status, 201)
  t.like(shown.begun[0], WISH)
  t.is((await ask('DELETE', '/api/works/1', own)).status, 204)
  t.is((await ask('DELETE', '/api/works/1', own)).status, 404)
})

test('a program uses the bearer token', async t => {
  const { ask, dashboard } = await ground(t)
  const headers = { authorization: `Bearer ${dashboard.address().token}` }
  t.is((await ask('POST', '/api/works', headers, WISH)).status, 201)
  const metrics = await ask('GET', '/metrics', headers)
  t.regex(metrics.headers['content-type']!, /^text\/plain; version=0\.0\.4/)
  t.regex(metrics.text, /^# TYPE kt_connected gauge\nkt_connected 1$/m)
  for (const line of metrics.text.trim().split('\n')) t.regex(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+ \d+(\.\d+)?)$/)
})

test('what is asked wrongly, and what cannot be done, is said as on the terminal', async t => {
  const all = await ground(t)
  const own = await opened(all)
  const wrong = [{}, { ...WISH, kind: 'delete' }, { ...WISH, expose: '' }, { ...WISH, service: 'x'.repeat(300) }]
  for (const body of wrong) t.is((await all.ask('POST', '/api/works', own, body)).status, 400, JSON.stringify(body))
  t.is((await all.ask('POST', '/api/works', own, { ...WISH, more: 'x'.repeat(10_000) })).status, 413)
  const gone = await all.ask('POST', '/api/works', own, { ...WISH, service: 'gone' })
  t.is(gone.status, 404)
  t.deepEqual(JSON.parse(gone.text), { code: 'KT_NOT_FOUND', message: 'there is no service "gone"', hint: 'look' })
  t.is((await all.ask('GET', '/api/dns?name=nginx', own)).status, 200)
  t.is((await all.ask('GET', '/api/dns?name=', own)).status, 400)
  t.is((await all.ask('GET', '/api/requests/1/request', own)).status, 404)
})

test('every answer forbids what is embedded, framed or from elsewhere', async t => {
  const all = await ground(t)
  const { cookie } = await opened(all)
  for (const headers of [{ cookie }, {}])
    for (const path of ['/', '/page.js', '/api/status', '/nothing']) {
      const answer = await all.ask('GET', path, headers)
      const policy = answer.headers['content-security-policy'] as string
      t.regex(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /)
      t.notRegex(policy, /unsafe|\*|https?:|data:/)
      t.is(answer.headers['x-content-type-options'], 'nosniff')
      t.is(answer.headers['referrer-policy'], 'no-referrer')
    }
})

test('events: everything first, then what changes', async t => {
  const all = await ground(t)
  const { cookie } = await opened(all)
  const q = request({ port: all.dashboard.port, path: '/api/events', headers: { cookie } }).end()
  const [s] = (await once(q, 'response')) as [IncomingMessage]
  t.is(s.headers['content-type'], 'text/event-stream')
  let text = ''
  for await (const part of s.setEncoding('utf8')) {
    text += part
    if (text.split('\n\n').length > 3) break
  }
  const [, first, second] = text.split('\n\n').map(event => event.replace(/^data: /, ''))
  t.like(JSON.parse(first!) as Update, { whole: true, log: [{ text: 'said before' }] })
  t.is((JSON.parse(second!) as Update).whole, false)
})

test('the OpenAPI document names every route, and no other', async t => {
  const app = fastify()
  const found: string[] = []
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat())
      if (each !== 'HEAD') found.push(`${each.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`)
  })
  const shown = new FakeSession()
  addRoutes(app, FILES, { shown, feed: new Feed(shown), guard: () => new Guard(80) })
  await app.ready()
  const documented = Object.entries(OPENAPI.paths).flatMap(([path, each]) =>
    Object.keys(each).map(method => `${method} ${path}`)
  )
  const page = ['get /', 'get /icon.svg', 'get /open', 'get /page.css', 'get /page.js']
  t.deepEqual(documented.sort(), found.filter(route => !page.includes(route)).sort())
})

test('a port that is taken is said in one line', async t => {
  const { dashboard } = await ground(t)
  await t.throwsAsync(serveDashboard({ shown: new FakeSession(), files: FILES, port: dashboard.port }), {
    code: 'KT_USAGE',
    message: /cannot be used: EADDRINUSE/
  })
})
