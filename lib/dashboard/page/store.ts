// What the page knows, as signals: told by the server, event by event.
import { signal } from '@preact/signals'
import type {
  DnsRow,
  FlowRow,
  LogLine,
  PageSession,
  RequestRow,
  Sample,
  ServiceRow,
  StatusView,
  Update,
  WorkRow
} from '../model.ts'
import { openSession } from './api.ts'

/** As many as the server remembers. */
const SAMPLES_MAX = 600
const DNS_MAX = 500
const REQUESTS_MAX = 300
const LOG_MAX = 500

export const session = signal<PageSession | undefined>(undefined)
/** Why nothing new is told, or empty. */
export const trouble = signal('')
export const status = signal<StatusView | undefined>(undefined)
export const samples = signal<Sample[]>([])
export const flows = signal<FlowRow[]>([])
/** Newest first, as the next two. */
export const questions = signal<DnsRow[]>([])
export const requests = signal<RequestRow[]>([])
export const log = signal<LogLine[]>([])
export const services = signal<ServiceRow[]>([])
export const servicesError = signal('')
export const works = signal<WorkRow[]>([])

/** Listen until the page is closed; the browser connects again by itself. */
export async function listen(): Promise<void> {
  try {
    session.value = await openSession()
  } catch (error) {
    trouble.value = (error as Error).message
    return
  }
  const events = new EventSource('/api/events')
  events.onmessage = event => apply(JSON.parse(event.data as string) as Update)
  events.onerror = () => {
    trouble.value = 'kt does not answer: it has ended, or is ending'
  }
}

function apply(update: Update): void {
  trouble.value = ''
  const { whole } = update
  if (update.status !== undefined) status.value = update.status
  if (update.flows !== undefined) flows.value = update.flows
  if (update.services !== undefined) services.value = update.services
  if (update.servicesError !== undefined) servicesError.value = update.servicesError
  if (update.works !== undefined) works.value = update.works
  if (update.samples !== undefined)
    samples.value = [...(whole ? [] : samples.value), ...update.samples].slice(-SAMPLES_MAX)
  if (update.dns !== undefined) questions.value = newest(update.dns, whole ? [] : questions.value, DNS_MAX)
  if (update.log !== undefined) log.value = newest(update.log, whole ? [] : log.value, LOG_MAX)
  if (update.requests !== undefined) requests.value = merged(update.requests, whole ? [] : requests.value)
}

function newest<T>(come: readonly T[], before: readonly T[], most: number): T[] {
  return [...come.toReversed(), ...before].slice(0, most)
}

/** A request that has changed takes the place of what it was. */
function merged(come: readonly RequestRow[], before: readonly RequestRow[]): RequestRow[] {
  const all = new Map(before.map(row => [row.id, row]))
  for (const row of come) all.set(row.id, row)
  return [...all.values()].sort((a, b) => b.id - a.id).slice(0, REQUESTS_MAX)
}
