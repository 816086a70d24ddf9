// Other kt on this computer, each with a line to it: what it is, that it lives, and which of them the laptop asks for names.
import type { Duplex } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { Before } from '../../host/resolv-conf-file.ts'
import { processStart } from '../../host/state.ts'
import { openNeighbour } from '../control.ts'
import { sessions } from '../registry.ts'

/** What a session tells the others, anew whenever it changes. */
export interface Facts {
  pid: number
  /** As `processStart`. */
  started: string
  /** Milliseconds since the epoch: who was first decides. */
  since: number
  context: string
  device: string
  /** Its routes are set. */
  ready: boolean
  /** The domain below which all names are this session's. */
  suffix: string
  /** Where its resolver is asked; empty: it has no names for others. */
  resolver: string
  /** The laptop asks it. */
  leads: boolean
  /** Whose resolvers it asks for names that it does not have. */
  asks: string[]
  /** Who answers other names, for the one that leads. */
  upstreams: string[]
  /** /etc/hosts has its names. */
  hosts: boolean
  /** What its carrier needs: in no tunnel. */
  outside: string[]
  /** For systemd-resolved: domains that are searched, and whose names are its. */
  search: string[]
  routed: string[]
}

/** What is not said. */
const NOTHING: Facts = {
  ...{ pid: 0, since: 0, started: '', context: '', device: '', suffix: '', resolver: '' },
  ...{ ready: false, leads: false, hosts: false, asks: [], upstreams: [], outside: [], search: [], routed: [] }
}

type Line = { facts: Facts } | { take: Before }

/** Longer lines are not ours: a thousand namespaces and as many ranges fit. */
const LINE_MAX_CHARACTERS = 1 << 18
/** Whoever has not said what he is by then is not waited for. */
const HELLO_LIMIT_MS = 1000
/** A file is written in less; then the session that goes puts everything back itself. */
const HAND_OVER_LIMIT_MS = 3000

interface Link {
  socket: Duplex
  facts: Facts | undefined
}

export class Neighbours {
  readonly #links = new Set<Link>()
  readonly #listeners = new Set<() => void>()
  #own: Facts
  /** Asked to point the laptop at this session, with what is to be put back one day. */
  onTake: ((before: Before) => void) | undefined

  constructor() {
    const { pid } = process
    this.#own = { ...NOTHING, pid, since: Date.now(), started: processStart(pid) ?? '' }
  }

  /** When this session began. */
  get since(): number {
    return this.#own.since
  }

  /** The others, the first one first. */
  get list(): Facts[] {
    const found = new Map<number, Facts>()
    for (const { facts } of this.#links) if (facts !== undefined) found.set(facts.pid, facts)
    return [...found.values()].sort((a, b) => a.since - b.since || a.pid - b.pid)
  }

  /** The other one that the laptop asks for names. */
  get leader(): Facts | undefined {
    return this.list.find(({ leads }) => leads)
  }

  /** What the carriers of the others need. */
  get outside(): { address: string; reason: string }[] {
    return this.list.flatMap(({ outside, context }) =>
      outside.map(address => ({ address, reason: `the way of the kt of context ${context} to its cluster` }))
    )
  }

  /** Called when one has come, has gone or is something else than before. */
  listen(changed: () => void): void {
    this.#listeners.add(changed)
  }

  /** What this session is now. */
  tell(change: Partial<Facts>): void {
    const next = { ...this.#own, ...change }
    if (JSON.stringify(next) === JSON.stringify(this.#own)) return
    this.#own = next
    for (const { socket } of this.#links) send(socket, { facts: next })
  }

  /** Greet those that run already, to be called once they can find this session. Resolves when they have said what they are. */
  async open(): Promise<void> {
    const others = sessions().filter(({ command, pid }) => command === 'up' && pid !== process.pid)
    await Promise.all(
      others.map(async ({ socket: path }) => {
        const socket = await openNeighbour(path, HELLO_LIMIT_MS).catch(() => undefined) // it is ending, or an older kt
        if (socket !== undefined) await this.#join(socket)
      })
    )
  }

  /** One that has come later. */
  accept(socket: Duplex): void {
    void this.#join(socket)
  }

  /** Have the first of the others that can point the laptop at itself. False: none of them has. */
  async handOver(before: Before): Promise<boolean> {
    const heir = this.list.find(({ resolver }) => resolver !== '')
    const link = [...this.#links].find(({ facts }) => facts !== undefined && facts.pid === heir?.pid)
    if (link === undefined) return false
    send(link.socket, { take: before })
    return await this.until(() => link.facts?.leads === true || link.socket.destroyed, HAND_OVER_LIMIT_MS).then(
      () => link.facts?.leads === true
    )
  }

  /** Resolves when the others make it true, or after `limitMs`: which of both. */
  until(isTrue: () => boolean, limitMs: number): Promise<boolean> {
    return new Promise(resolve => {
      const end = (result: boolean): void => {
        clearTimeout(timer)
        this.#listeners.delete(look)
        resolve(result)
      }
      const look = (): void => {
        if (isTrue()) end(true)
      }
      const timer = setTimeout(() => end(isTrue()), limitMs)
      this.#listeners.add(look)
      look()
    })
  }

  close(): void {
    this.#listeners.clear()
    for (const { socket } of this.#links) socket.destroy()
  }

  /** Resolves at its first word. */
  #join(socket: Duplex): Promise<void> {
    const link: Link = { socket, facts: undefined }
    this.#links.add(link)
    send(socket, { facts: this.#own })
    return new Promise(resolve => {
      const timer = setTimeout(resolve, HELLO_LIMIT_MS)
      readLines(socket, line => {
        if ('take' in line) this.onTake?.(line.take)
        else link.facts = line.facts
        resolve()
        this.#changed()
      })
      socket.on('error', () => {}) // it has gone, which `close` says
      socket.on('end', () => socket.destroy()) // that of a server would stay half open
      socket.on('close', () => {
        clearTimeout(timer)
        this.#links.delete(link)
        resolve()
        if (link.facts !== undefined) this.#changed()
      })
    })
  }

  #changed(): void {
    for (const changed of [...this.#listeners]) changed()
  }
}

function send(socket: Duplex, line: Line): void {
  if (socket.writable) socket.write(`${JSON.stringify(line)}\n`)
}

/** Whoever says something else is left alone. */
function readLines(socket: Duplex, said: (line: Line) => void): void {
  const decoder = new StringDecoder() // the socket of an HTTP server takes no encoding
  let rest = ''
  socket.on('data', (bytes: Buffer) => {
    const lines = (rest + decoder.write(bytes)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_MAX_CHARACTERS) socket.destroy()
    for (const each of lines) {
      const line = parse(each)
      if (line === undefined) socket.destroy()
      else said(line)
    }
  })
}

function parse(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Partial<{ facts: Partial<Facts>; take: Before }> | null
    if (line?.take !== undefined) return { take: line.take }
    return Number.isInteger(line?.facts?.pid) ? { facts: { ...NOTHING, ...line?.facts } } : undefined
  } catch {
    return undefined
  }
}
