// What the page asks of its server.
import type { BodyView, PageSession, WorkRow, WorkWish } from '../model.ts'

interface Problem {
  message: string
  hint: string
}

let csrf = ''

/** Who the page speaks to; before anything else. */
export async function openSession(): Promise<PageSession> {
  const session = (await ask('GET', '/api/session')) as PageSession
  csrf = session.csrf
  return session
}

/** Resolves when it works; rejects with an Error that can be shown. */
export async function beginWork(wish: WorkWish): Promise<WorkRow> {
  return (await ask('POST', '/api/works', wish)) as WorkRow
}

/** Resolves when everything is as it was. */
export async function giveBack(id: string): Promise<void> {
  await ask('DELETE', `/api/works/${encodeURIComponent(id)}`)
}

export async function readBody(id: number, side: 'request' | 'response'): Promise<BodyView> {
  return (await ask('GET', `/api/requests/${id}/${side}`)) as BodyView
}

export interface Explained {
  rcode: string
  steps: { step: string; text: string }[]
  records: { name: string; ttl: number; type: string; data: string }[]
}

/** Who answers a name and why. */
export async function explainName(name: string, type: string): Promise<Explained> {
  return (await ask('GET', `/api/dns?${new URLSearchParams({ name, type })}`)) as Explained
}

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = method === 'GET' ? {} : { 'x-kt-csrf': csrf }
  if (body !== undefined) headers['content-type'] = 'application/json'
  const answer = await fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  if (answer.status === 204) return undefined
  const value: unknown = await answer.json()
  if (answer.ok) return value
  const { message, hint } = value as Problem
  throw new Error(hint === '' ? message : `${message} (${hint})`)
}
