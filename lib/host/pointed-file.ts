// /etc/resolv.conf with our server in front, as long as a session runs: written, watched, put back.
import { readdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { watchFile } from './file-watch.ts'
import type { Journal, Recorded } from './journal.ts'
import { hasOurs, type Ours, parseResolvConf, withOurs, withoutOurs } from './resolv-conf.ts'
import {
  type Before,
  describeUndo,
  RESOLV_CONF,
  type ResolvConfChange,
  readResolvConf,
  undoResolvConf,
  writeResolvConf
} from './resolv-conf-file.ts'

/** glibc's server when the file names none (resolv.conf(5)). */
const LOCAL_SERVER = '127.0.0.1'
/** Another program that writes the file more often than this fights with us, and wins. */
const REPAIRS_MAX = 5
const REPAIRS_WITHIN_MS = 60_000

export interface PointedFileOptions {
  ours: Ours
  journal: Journal
  /** What is to be put back one day, from the session that has pointed the file until now; default: what stands there. */
  found?: Before | undefined
  /** One line for the user. */
  note(line: string): void
  /** Another program has written the file: these answer other names from now on. */
  onUpstreams(upstreams: string[]): void
}

export class PointedFile {
  readonly #options: PointedFileOptions
  #change: ResolvConfChange | undefined
  #recorded: Recorded | undefined
  #unwatch = (): void => {}
  readonly #repairs: number[] = []
  /** One change at a time. */
  #queue: Promise<void> = Promise.resolve()

  private constructor(options: PointedFileOptions) {
    this.#options = options
  }

  /** Put our server in front of what the file says. Throws KT_RESOLVER or KT_JOURNAL; then nothing is changed. */
  static async write(options: PointedFileOptions): Promise<{ pointed: PointedFile; upstreams: string[] }> {
    const pointed = new PointedFile(options)
    const upstreams = await pointed.#write(options.found ?? (await readResolvConf()))
    pointed.#unwatch = watchFile(RESOLV_CONF, () => {
      pointed.#queue = pointed.#queue
        .then(() => pointed.#look())
        .catch((error: Error) => options.note(`${RESOLV_CONF} was changed by another program: ${error.message}`))
    })
    return { pointed, upstreams }
  }

  /** Everything as it was, or as another program has made it since. */
  async restore(): Promise<void> {
    this.#unwatch()
    await this.#queue
    if (this.#change === undefined) return
    const result = await undoResolvConf(this.#change)
    this.#recorded?.done()
    const line = describeUndo(result)
    if (result === 'merged' && line !== undefined) this.#options.note(line)
  }

  /** Let another session write the file, which `give` tells what is to be put back one day. False: it has not, and `restore` is to be called. */
  async handOver(give: (before: Before) => Promise<boolean>): Promise<boolean> {
    this.#unwatch()
    await this.#queue
    if (this.#change === undefined || !(await give(this.#change.before))) return false
    this.#recorded?.done()
    this.#change = undefined
    return true
  }

  /** Somebody has done something to the file. */
  async #look(): Promise<void> {
    const { ours, note, onUpstreams } = this.#options
    const now = await readResolvConf()
    const text = now.kind === 'missing' ? '' : now.text
    if (now.kind === 'file' && text === this.#change?.written) return
    if (now.kind === 'file' && parseResolvConf(text).nameservers[0] === ours.server) return // ours is still the first
    const at = performance.now()
    while ((this.#repairs[0] ?? at) < at - REPAIRS_WITHIN_MS) this.#repairs.shift()
    if (this.#repairs.length >= REPAIRS_MAX) {
      this.#unwatch()
      note(
        `another program writes ${RESOLV_CONF} again and again: cluster names are not found until kt is started anew`
      )
      return
    }
    this.#repairs.push(at)
    const upstreams = await this.#write(now)
    onUpstreams(upstreams)
    note(
      `${RESOLV_CONF} was written by another program: ${ours.server} is in front again, other names are asked from ${upstreams.join(', ')}`
    )
  }

  /** The upstreams that `found` names. */
  async #write(found: Before): Promise<string[]> {
    const { ours, journal } = this.#options
    const text = found.kind === 'missing' ? '' : found.text
    // What an earlier kt has left without a journal is nobody's wish: it is not put back either.
    const clean = hasOurs(text, ours) ? withoutOurs(text, ours) : text
    const before: Before = found.kind === 'file' ? { kind: 'file', text: clean } : found
    const written = withOurs(clean, ours, { alone: hasMusl(), impliedSearch: hostDomain() })
    const change: ResolvConfChange = { kind: 'resolv.conf', before, written, ours }
    const earlier = this.#recorded
    const recorded = journal.record(change)
    await writeResolvConf(change)
    earlier?.done()
    this.#recorded = recorded
    this.#change = change
    return nameServers(clean)
  }
}

/** Who is asked by programs that read this text. */
export function nameServers(text: string): string[] {
  const { nameservers } = parseResolvConf(text)
  return nameservers.length > 0 ? nameservers : [LOCAL_SERVER]
}

/**
 * True if programs of this laptop may use musl's resolver: it asks all nameservers at once and believes the first,
 * so that a company's "no such name" would win over our answer.
 */
function hasMusl(): boolean {
  return readdirSync('/lib').some(name => name.startsWith('ld-musl-'))
}

/** resolv.conf(5): without `search`, the part of the host name behind its first dot is searched. */
export function hostDomain(): string {
  return hostname().split('.').slice(1).join('.')
}
