// A UDP port of this computer, on loopback, whose datagrams go somewhere else: a flow for each caller.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { KtError } from '../../errors.ts'
import type { Datagrams } from '../../tunnel/tunnel.ts'
import { Flow } from '../../udp/flow.ts'
import { Flows } from '../../udp/flows.ts'

/** How often idle flows are looked for, ms. */
const SWEEP_MS = 10_000

/** Somebody has sent a first datagram. */
export interface LocalFlow {
  /** `127.0.0.1:40000`. */
  source: string
  /** Give it an answer. */
  answer(bytes: Uint8Array): void
  /** The far end is gone: its next datagram is a new flow. */
  closed(): void
}

/** Where the datagrams of a flow go; undefined: they are dropped. */
export type OpenFlow = (flow: LocalFlow) => Datagrams | undefined

/**
 * Take datagrams at 127.0.0.1, and at ::1 where there is IPv6; the result ends it. Throws KT_USAGE when the port cannot be had.
 */
export async function takeDatagrams(port: number, open: OpenFlow): Promise<() => void> {
  const doors = [await Door.bind('127.0.0.1', port, open)]
  try {
    doors.push(await Door.bind('::1', port, open))
  } catch (error) {
    if (!(error instanceof KtError) || !isWithoutFamily(error.cause)) {
      for (const door of doors) door.close()
      throw error
    }
  }
  return () => {
    for (const door of doors) door.close()
  }
}

class Caller extends Flow {
  readonly key: string
  target: Datagrams | undefined

  constructor(key: string) {
    super()
    this.key = key
  }
}

class Door {
  readonly #socket: Socket
  readonly #open: OpenFlow
  readonly #callers = new Map<string, Caller>()
  readonly #flows = new Flows<Caller>()
  readonly #sweep: NodeJS.Timeout

  private constructor(socket: Socket, open: OpenFlow) {
    this.#socket = socket
    this.#open = open
    socket.on('message', (bytes, from) => this.#arrive(bytes, from))
    socket.on('error', () => {}) // for a caller that has gone
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS).unref()
  }

  static async bind(host: string, port: number, open: OpenFlow): Promise<Door> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    try {
      await once(socket.bind(port, host), 'listening')
      return new Door(socket, open)
    } catch (cause) {
      socket.close()
      const { code } = cause as NodeJS.ErrnoException
      const why = code === 'EADDRINUSE' ? 'is taken' : code === 'EACCES' ? 'needs root' : `cannot be had (${code})`
      throw new KtError('KT_USAGE', `UDP port ${port} of this computer ${why}`, {
        hint: `choose another one: ${port < 1024 ? port + 8000 : port + 1}:REMOTE/udp`,
        cause
      })
    }
  }

  close(): void {
    clearInterval(this.#sweep)
    for (const caller of this.#callers.values()) caller.target?.close()
    this.#callers.clear()
    this.#socket.close()
  }

  #arrive(bytes: Uint8Array, { address, port }: RemoteInfo): void {
    const key = `${address.includes(':') ? `[${address}]` : address}:${port}`
    const known = this.#callers.get(key)
    if (known !== undefined) this.#flows.touch(known, performance.now())
    const caller = known ?? this.#begin(key, address, port)
    caller.target?.send(bytes)
    if (caller.target === undefined) this.#end(caller)
  }

  #begin(key: string, address: string, port: number): Caller {
    const caller = new Caller(key)
    this.#callers.set(key, caller)
    const evicted = this.#flows.add(caller, performance.now())
    if (evicted !== undefined) this.#forget(evicted)
    caller.target = this.#open({
      source: key,
      answer: bytes => {
        if (this.#callers.get(key) !== caller) return
        this.#flows.touch(caller, performance.now())
        this.#socket.send(bytes, port, address, () => {}) // a caller that has gone is no fault
      },
      closed: () => this.#end(caller)
    })
    return caller
  }

  #expire(): void {
    const now = performance.now()
    for (let next = this.#flows.expired(now); next !== undefined; next = this.#flows.expired(now)) this.#forget(next)
  }

  #end(caller: Caller): void {
    if (this.#callers.get(caller.key) !== caller) return
    this.#flows.remove(caller)
    this.#forget(caller)
  }

  #forget(caller: Caller): void {
    this.#callers.delete(caller.key)
    caller.target?.close()
  }
}

function isWithoutFamily(error: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')
}
