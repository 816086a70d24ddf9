// Answers of the cluster's DNS: kept by their TTL, negative ones too; the same question is asked once at a time.
import { isTruncated, RCODE, rcodeOf, readRecords, TYPE } from './message.ts'

/** Answers kept; the one used longest ago goes first. 4,096 of at most a few kB. */
const ENTRIES_MAX = 4096
/** Questions under way; a further one fails at once. */
const PENDING_MAX = 512
/** Longest time an answer is kept, in seconds: what the cluster changes is to be seen soon. */
const TTL_MAX_S = 30
/** A failure is kept this long, so that it is not asked for again with every retry (RFC 9520 §3.2 asks for at least 1 s). */
const FAILURE_MS = 1000

interface Entry {
  /** The answer, or why there was none. */
  result: Uint8Array | Error
  since: number
  until: number
}

export interface AnswerCacheOptions {
  /** Upper bound of every TTL, in seconds. */
  ttlMaxS?: number
  /** Milliseconds, monotonic. */
  now?: () => number
}

export class AnswerCache {
  readonly #ttlMaxS: number
  readonly #now: () => number
  /** In the order of use. */
  readonly #entries = new Map<string, Entry>()
  readonly #pending = new Map<string, Promise<Uint8Array>>()

  constructor({ ttlMaxS = TTL_MAX_S, now = () => performance.now() }: AnswerCacheOptions = {}) {
    this.#ttlMaxS = ttlMaxS
    this.#now = now
  }

  /** The answer to the question `key`, from here, from a question under way, or from `ask`. The bytes are the caller's own; `ageMs` is set if it was kept here. */
  async get(key: string, ask: () => Promise<Uint8Array>): Promise<{ answer: Uint8Array; ageMs: number | undefined }> {
    const entry = this.#fresh(key)
    if (entry?.result instanceof Error) throw entry.result
    if (entry === undefined) return { answer: Uint8Array.from(await this.#once(key, ask)), ageMs: undefined }
    const ageMs = this.#now() - entry.since
    return { answer: aged(entry.result, ageMs), ageMs }
  }

  #fresh(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.until <= this.#now()) return undefined
    this.#entries.set(key, entry)
    return entry
  }

  #once(key: string, ask: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const under = this.#pending.get(key)
    if (under !== undefined) return under
    if (this.#pending.size >= PENDING_MAX) return Promise.reject(new Error('too many questions under way'))
    const asked = ask().then(
      answer => this.#keep(key, answer, ttlOf(answer, this.#ttlMaxS) * 1000),
      (cause: unknown) => {
        const error = cause instanceof Error ? cause : new Error(String(cause))
        this.#keep(key, error, FAILURE_MS)
        throw error
      }
    )
    this.#pending.set(key, asked)
    return asked.finally(() => this.#pending.delete(key))
  }

  #keep<T extends Uint8Array | Error>(key: string, result: T, ms: number): T {
    if (ms > 0) {
      const since = this.#now()
      this.#entries.set(key, { result, since, until: since + ms })
      for (const oldest of this.#entries.keys()) {
        if (this.#entries.size <= ENTRIES_MAX) break
        this.#entries.delete(oldest)
      }
    }
    return result
  }
}

/** Seconds that an answer may be kept: RFC 2181 §5.2, RFC 2308 §5 for negative ones; 0 for what may not. */
export function ttlOf(answer: Uint8Array, maxS: number): number {
  const records = readRecords(answer)
  if (records === undefined || isTruncated(answer)) return 0
  const rcode = rcodeOf(answer)
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return FAILURE_MS / 1000
  const answers = records.filter(record => record.section === 'answer')
  if (rcode === RCODE.NOERROR && answers.length > 0) return Math.min(maxS, ...answers.map(record => record.ttl))
  const soa = records.find(record => record.type === TYPE.SOA && record.section === 'authority')
  if (soa === undefined || soa.dataLength < 4) return 0
  const minimum = Buffer.from(answer).readUInt32BE(soa.dataAt + soa.dataLength - 4)
  return Math.min(maxS, soa.ttl, minimum)
}

/** A copy whose TTLs are `ageMs` less. */
function aged(answer: Uint8Array, ageMs: number): Uint8Array {
  const copy = Buffer.from(answer)
  for (const { type, ttl, ttlAt } of readRecords(copy) ?? []) {
    if (type !== TYPE.OPT) copy.writeUInt32BE(Math.max(0, ttl - Math.floor(ageMs / 1000)), ttlAt)
  }
  return copy
}
