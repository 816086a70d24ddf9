// The dashboard's HTTP server: the page, its data and what it may do, on loopback.
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { KtError } from '../errors.ts'
import { Feed } from './feed.ts'
import { Guard, SECURITY_HEADERS } from './guard.ts'
import { METRICS_TYPE, metricsText } from './metrics.ts'
import type { WorkWish } from './model.ts'
import { OPENAPI } from './openapi.ts'
import { PAGE_TYPES, type PageFiles, type PageName } from './page-types.ts'
import type { Shown } from './shown.ts'

const HOST = '127.0.0.1'
/** Longest request body, bytes: a wish has four short fields. */
const BODY_LIMIT = 8_192
/** Pages at a time. */
const PAGES_MAX = 16
/** A page that does not take what it is told is let go, bytes; it connects again and is told everything. */
const BACKLOG_MAX = 8 * 1024 * 1024
/** Proxies and browsers give up on a silent stream; samples come oftener. */
const RETRY_MS = 1_000

export interface DashboardOptions {
  shown: Shown
  files: PageFiles
  /** 0: any that is free. */
  port: number
}

/** How a dashboard is reached. Field names are stable: `kt dashboard --output json` prints them. */
export interface DashboardAddress {
  /** Opens the page, once. */
  url: string
  /** For programs, with `Authorization: Bearer` and `token`. */
  metrics: string
  api: string
  token: string
}

export interface Dashboard {
  readonly port: number
  /** A new link to the page. */
  address(): DashboardAddress
  close(): Promise<void>
}

/** Serve the dashboard until it is closed. Rejects when the port is taken. */
export async function serveDashboard({ shown, files, port }: DashboardOptions): Promise<Dashboard> {
  const app = fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true })
  // The guard must know the port that is in the page's address, and the port is known once it listens.
  let guard: Guard | undefined
  const parts = { shown, feed: new Feed(shown), guard: () => guard! }
  addRoutes(app, files, parts)
  await app.listen({ host: HOST, port }).catch((cause: NodeJS.ErrnoException) => {
    throw new KtError('KT_USAGE', `port ${port} cannot be used: ${cause.code ?? cause.message}`, {
      hint: 'without --port any free one is taken',
      cause
    })
  })
  const taken = (app.server.address() as AddressInfo).port
  guard = new Guard(taken)
  app.server.unref()
  const origin = `http://${HOST}:${taken}`
  return {
    port: taken,
    address: () => ({
      url: `${origin}/open?token=${guard.link()}`,
      metrics: `${origin}/metrics`,
      api: `${origin}/api`,
      token: guard.bearer
    }),
    close: () => app.close()
  }
}

/** The server without its port, for whoever wants to see its routes. */
export function addRoutes(
  app: FastifyInstance,
  files: PageFiles,
  { shown, feed, guard }: { shown: Shown; feed: Feed; guard: () => Guard }
): void {
  app.addHook('onRequest', async (q, s) => {
    s.headers(SECURITY_HEADERS)
    const stranger = guard().stranger(q)
    if (stranger !== undefined) return await s.code(403).send({ code: 'KT_FORBIDDEN', message: stranger, hint: '' })
    if (q.routeOptions.url === '/open') return
    const refusal = guard().forbids(q)
    if (refusal !== undefined) return await s.code(401).send({ code: 'KT_UNAUTHORIZED', message: refusal, hint: HINT })
  })
  app.setErrorHandler(answerError)
  app.get<{ Querystring: { token?: string } }>('/open', async (q, s) => {
    const cookie = guard().open(q.query.token ?? '')
    if (cookie === undefined)
      return await s.code(401).send({ code: 'KT_UNAUTHORIZED', message: 'this link has been used', hint: HINT })
    return await s.header('set-cookie', cookie).redirect('/', 303)
  })
  app.get('/', (_, s) => sendFile(s, files, 'index.html'))
  for (const name of ['page.js', 'page.css', 'icon.svg'] as const)
    app.get(`/${name}`, (_, s) => sendFile(s, files, name))
  app.get('/metrics', (_, s) => s.type(METRICS_TYPE).send(metricsText(shown.status())))
  addReading(app, { shown, feed, guard })
  addDoing(app, shown, feed)
}

const HINT = 'kt dashboard prints a new link'

function addReading(
  app: FastifyInstance,
  { shown, feed, guard }: { shown: Shown; feed: Feed; guard: () => Guard }
): void {
  app.get('/api/openapi.json', () => OPENAPI)
  app.get('/api/session', () => ({ identity: shown.identity, csrf: guard().csrf }))
  app.get('/api/status', () => shown.status())
  app.get('/api/flows', () => shown.flows())
  app.get('/api/services', () => shown.services())
  app.get('/api/works', () => shown.works())
  app.get('/api/requests', () => feed.requests.rows())
  app.get<{ Params: { id: string; side: string } }>('/api/requests/:id/:side', (q, s) => {
    const { id, side } = q.params
    const body = side === 'request' || side === 'response' ? feed.requests.body(Number(id), side) : undefined
    return body ?? s.code(404).send(NOT_FOUND)
  })
  app.get<{ Querystring: { name?: string; type?: string } }>('/api/dns', async (q, s) => {
    const found = await shown.explain(q.query.name ?? '', q.query.type ?? 'A')
    return found ?? s.code(400).send({ code: 'KT_USAGE', message: 'no such name or type, or nobody to ask', hint: '' })
  })
  let pages = 0
  app.get('/api/events', (_, s) => {
    if (pages >= PAGES_MAX) return s.code(503).send({ code: 'KT_USAGE', message: 'too many pages are open', hint: '' })
    pages++
    sendEvents(s, feed, () => {
      pages--
    })
    return s
  })
}

const NOT_FOUND = { code: 'KT_NOT_FOUND', message: 'there is no such thing (any more)', hint: '' }

function addDoing(app: FastifyInstance, shown: Shown, feed: Feed): void {
  const text = { type: 'string', maxLength: 253 }
  const body = {
    type: 'object',
    additionalProperties: false,
    required: ['kind', 'service', 'expose'],
    properties: {
      kind: { enum: ['exchange', 'preview', 'mesh'] },
      service: { ...text, minLength: 1 },
      expose: { ...text, minLength: 1 },
      versionMark: text
    }
  }
  app.post<{ Body: Partial<WorkWish> & Omit<WorkWish, 'versionMark'> }>(
    '/api/works',
    { schema: { body } },
    async (q, s) => {
      const work = await shown.begin({ versionMark: '', ...q.body })
      feed.hurry()
      return await s.code(201).send(work)
    }
  )
  app.delete<{ Params: { id: string } }>('/api/works/:id', async (q, s) => {
    const ended = await shown.giveBack(q.params.id)
    feed.hurry()
    return await (ended ? s.code(204).send() : s.code(404).send(NOT_FOUND))
  })
}

function sendFile(s: FastifyReply, files: PageFiles, name: PageName): FastifyReply {
  return s.type(PAGE_TYPES[name]).send(files[name])
}

/** Server-Sent Events, one for each update, until the page has gone. */
function sendEvents(s: FastifyReply, feed: Feed, gone: () => void): void {
  s.hijack()
  const out = s.raw
  out.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream' })
  out.write(`retry: ${RETRY_MS}\n\n`)
  const unsubscribe = feed.subscribe(update => {
    if (out.writableLength > BACKLOG_MAX) out.destroy()
    else out.write(`data: ${JSON.stringify(update)}\n\n`)
  })
  out.on('error', () => {}) // 'close' follows
  out.on('close', () => {
    unsubscribe()
    gone()
  })
}

/** What a user could have done otherwise is said as on the terminal. */
function answerError(error: unknown, _: FastifyRequest, s: FastifyReply): FastifyReply {
  if (error instanceof KtError) {
    const { code, message, hint } = error
    return s.code(STATUS[code] ?? 400).send({ code, message, hint })
  }
  const { statusCode = 500, message } = error as { statusCode?: number; message: string }
  return s.code(statusCode).send({ code: statusCode < 500 ? 'KT_USAGE' : 'KT_INTERNAL', message, hint: '' })
}

const STATUS: Partial<Record<KtError['code'], number>> = {
  KT_NOT_FOUND: 404,
  KT_CONFLICT: 409,
  KT_FORBIDDEN: 502,
  KT_API_UNREACHABLE: 502,
  KT_API: 502
}
