// What pages are told, gathered while one is connected: nothing is subscribed to, asked or counted otherwise.
import { connectionTrace, dnsTrace } from '../trace.ts'
import { type ConnectionEvent, FlowTable } from './flow-table.ts'
import type { DnsRow, LogLine, Sample, ServiceRow, Update } from './model.ts'
import { RequestLog } from './request-log.ts'
import type { Shown } from './shown.ts'

/** What has changed is told this often, ms: a flow is to be seen within a second. */
const TICK_MS = 500
/** Five minutes of charts. */
export const SAMPLES_MAX = 600
export const DNS_MAX = 500
/** Services are asked from the API server, three lists each time, this often, ms. */
const SERVICES_MS = 5_000

type Listener = (update: Update) => void

export class Feed {
  readonly requests = new RequestLog()
  readonly #shown: Shown
  readonly #flows: FlowTable
  readonly #listeners = new Set<Listener>()
  #timer: NodeJS.Timeout | undefined
  #samples: Sample[] = []
  #bytes = { at: 0, in: 0, out: 0 }
  #dns: DnsRow[] = []
  #newDns: DnsRow[] = []
  #dnsIds = 0
  #lastLine: LogLine | undefined
  #services: ServiceRow[] = []
  #servicesError = ''
  #servicesAt = -Infinity
  #asking: boolean = false
  /** JSON of what was last told, by its name: only what differs is told again. */
  readonly #told = new Map<string, string>()

  constructor(shown: Shown) {
    this.#shown = shown
    this.#flows = new FlowTable(address => shown.nameOf(address))
  }

  /** Tell `listener` everything now, and then what changes, until the result is called. */
  subscribe(listener: Listener): () => void {
    if (this.#listeners.size === 0) this.#start()
    else this.#tick() // the others get what the new one is about to have
    this.#listeners.add(listener)
    listener(this.#whole())
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop()
    }
  }

  /** Somebody has changed something: services are asked for with the next tick. */
  hurry(): void {
    this.#servicesAt = -Infinity
  }

  #start(): void {
    connectionTrace.subscribe(this.#onConnection)
    dnsTrace.subscribe(this.#onQuestion)
    this.requests.start()
    this.#shown.onFlowEnded(flow => this.#flows.over(flow, Date.now()))
    this.#bytes.at = 0
    this.hurry()
    this.#sample(Date.now())
    this.#flows.update(this.#shown.flows(), Date.now())
    this.#askServices()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  #stop(): void {
    clearInterval(this.#timer)
    connectionTrace.unsubscribe(this.#onConnection)
    dnsTrace.unsubscribe(this.#onQuestion)
    this.requests.stop()
    this.#shown.onFlowEnded(undefined)
    this.#samples = []
    this.#told.clear()
  }

  readonly #onConnection = (event: unknown): void => {
    this.#flows.dialled(event as ConnectionEvent, this.#shown.status().device !== '', Date.now())
  }

  readonly #onQuestion = (event: unknown): void => {
    const { name, type, source, rcode, ms, why, addresses } = event as Omit<DnsRow, 'rcode'> & { rcode: number }
    this.#flows.answered(name, addresses)
    const row = { id: ++this.#dnsIds, at: Date.now(), name, type, source, rcode: RCODES[rcode] ?? String(rcode), ms }
    const whole: DnsRow = { ...row, why, addresses }
    this.#newDns.push(whole)
    this.#dns.push(whole)
    if (this.#dns.length > DNS_MAX) this.#dns.shift()
    if (this.#newDns.length > DNS_MAX) this.#newDns.shift()
  }

  #tick(): void {
    const now = Date.now()
    this.#flows.update(this.#shown.flows(), now)
    this.#askServices()
    const update: Update = {
      at: now,
      whole: false,
      samples: [this.#sample(now)],
      ...this.#changed('status', this.#shown.status()),
      ...this.#changed('flows', this.#flows.rows(now)),
      ...this.#changed('works', this.#shown.works()),
      ...this.#changed('services', this.#services),
      ...this.#changed('servicesError', this.#servicesError)
    }
    const requests = this.requests.takeChanged()
    if (requests.length > 0) update.requests = requests
    if (this.#newDns.length > 0) update.dns = this.#newDns.splice(0)
    const log = this.#newLines()
    if (log.length > 0) update.log = log
    for (const listener of this.#listeners) listener(update)
  }

  #changed<K extends keyof Update>(name: K, value: Update[K]): Partial<Update> {
    const text = JSON.stringify(value)
    if (this.#told.get(name) === text) return {}
    this.#told.set(name, text)
    return { [name]: value }
  }

  #newLines(): LogLine[] {
    const { log } = this.#shown
    const from = this.#lastLine === undefined ? 0 : log.lastIndexOf(this.#lastLine) + 1
    this.#lastLine = log.at(-1)
    return log.slice(from)
  }

  #whole(): Update {
    const now = Date.now()
    this.#newLines()
    return {
      at: now,
      whole: true,
      status: this.#shown.status(),
      samples: this.#samples,
      flows: this.#flows.rows(now),
      dns: this.#dns,
      requests: this.requests.rows(),
      services: this.#services,
      servicesError: this.#servicesError,
      works: this.#shown.works(),
      log: [...this.#shown.log]
    }
  }

  #sample(now: number): Sample {
    const { bytesIn, bytesOut, roundTripMs } = this.#shown.status()
    const { at, in: before, out } = this.#bytes
    const seconds = at === 0 ? Infinity : Math.max(now - at, 1) / 1000
    this.#bytes = { at: now, in: bytesIn, out: bytesOut }
    // A new session begins at 0 again.
    const rate = (bytes: number, last: number): number => Math.max(0, Math.round((bytes - last) / seconds))
    const sample = { at: now, inRate: rate(bytesIn, before), outRate: rate(bytesOut, out), roundTripMs }
    this.#samples.push(sample)
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift()
    return sample
  }

  #askServices(): void {
    const now = performance.now()
    if (this.#asking || now - this.#servicesAt < SERVICES_MS) return
    this.#servicesAt = now
    this.#asking = true
    this.#shown
      .services()
      .then(
        services => {
          this.#services = services
          this.#servicesError = ''
        },
        (error: Error) => {
          this.#servicesError = error.message
        }
      )
      .finally(() => {
        this.#asking = false
      })
  }
}

/** RFC 1035 §4.1.1. */
const RCODES: Record<number, string> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED'
}
