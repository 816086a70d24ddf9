// The pods that served before the laptop did: found by the name of a headless Service, asked in turn, this one left out.
import { Resolver } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from '../lib/tunnel/join.ts'
import { ownAddresses } from './address.ts'
import { connectTo } from './connect.ts'
import { textOf } from './facts.ts'
import { Kin } from './kin.ts'

/** Addresses are asked for anew after this, ms: pods come and go, and 100 connections a second need not be 100 questions. */
const FRESH_MS = 1_000
/** Callers wait this long for new addresses when there are known ones, ms: a name server on its feet needs a few. */
const PATIENCE_MS = 250
/** While nobody answers questions the last addresses are good for this long, ms. */
const STALE_MS = 30_000
/** One question: a nameserver is given this long, ms, and asked this often. */
const QUESTION_MS = 1_000
const QUESTION_TRIES = 2
/** A pod that does not answer a SYN for so long is passed over, ms: its node may be dead, and the caller waits. */
const POD_MS = 2_000
/** Pods tried for one connection. */
const MAX_PODS = 8
/** Once more after this, ms, when there was none at all: pods that are being replaced. */
const AGAIN_MS = 500
/** Dials in flight, each a descriptor. */
const MAX_DIALS = 1_024

export class Originals {
  readonly #name: string
  readonly #resolver = new Resolver({ timeout: QUESTION_MS, tries: QUESTION_TRIES })
  readonly #kin = new Kin(Number(process.env.KT_READY ?? '') || 0)
  #addresses: string[] = []
  #answeredAt = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined
  #turn = Math.floor(Math.random() * 2 ** 16)
  #dials = 0
  #keeping = false

  /** `name`: a headless Service (`name.namespace.svc`, or in full), or an address; empty: there are no originals. */
  constructor(name: string) {
    this.#name = inFull(name)
  }

  get exist(): boolean {
    return this.#name !== ''
  }

  /** This pod is ending, and the name may go before it does: what is known, or known in a moment, stays known. */
  keep(): void {
    this.#keeping = true
    void this.candidates()
  }

  /** Addresses to try, in the order in which to try them; the next call begins with another one. Never rejects. */
  async candidates(): Promise<string[]> {
    if (performance.now() - this.#answeredAt > FRESH_MS) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined
      })
      await (this.#addresses.length === 0 ? this.#asking : Promise.race([this.#asking, sleep(PATIENCE_MS)]))
    }
    const found = this.#addresses
    const first = this.#turn++ % Math.max(1, found.length)
    return [...found.slice(first), ...found.slice(0, first)].slice(0, MAX_PODS)
  }

  /** Give a connection, and what has been read from it already, to one of them; RST when there is none. Never rejects. */
  async take(socket: Socket, port: number, said: readonly Uint8Array[]): Promise<void> {
    socket.pause()
    const pod = await this.dial(socket, port)
    if (pod === undefined || socket.destroyed) {
      pod?.destroy()
      if (!socket.destroyed) socket.resetAndDestroy()
      return
    }
    for (const bytes of said) pod.write(bytes)
    if (socket.readableEnded) pod.end()
    join(socket, pod)
    if (!pod.writableNeedDrain) socket.resume()
  }

  /** A connection to one of them, or undefined when there is none; given up when the caller goes. Never rejects. */
  async dial(caller: Socket, port: number): Promise<Socket | undefined> {
    if (this.#dials >= MAX_DIALS) return undefined
    this.#dials += 1
    try {
      for (const waitMs of [AGAIN_MS, 0]) {
        for (const address of await this.candidates()) {
          if (caller.destroyed) return undefined
          const pod = await dialPod(caller, address, port)
          if (pod !== undefined) return pod
        }
        await sleep(waitMs)
      }
      return undefined
    } finally {
      this.#dials -= 1
    }
  }

  async #ask(): Promise<void> {
    if (isIP(this.#name) !== 0) this.#known([this.#name])
    else if (this.exist) {
      const answers = await Promise.all([this.#question('resolve4'), this.#question('resolve6')])
      const found = answers.flatMap(answer => answer ?? [])
      // Half an answer is one; none at all leaves what was known before, for a while.
      if (found.length > 0 || (!this.#keeping && answers.every(answer => answer !== undefined)))
        await this.#answered(found)
      else if (!this.#keeping && performance.now() - this.#answeredAt > STALE_MS) this.#addresses = []
    }
  }

  /** Empty: there is no such name or address. Undefined: nobody has answered. */
  async #question(type: 'resolve4' | 'resolve6'): Promise<string[] | undefined> {
    try {
      return await this.#resolver[type](this.#name)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return code === 'ENOTFOUND' || code === 'ENODATA' ? [] : undefined
    }
  }

  async #answered(found: string[]): Promise<void> {
    const own = ownAddresses()
    this.#known(await this.#kin.others(found.filter(address => !own.has(address))))
  }

  #known(addresses: string[]): void {
    // In one order, because name servers give another one each time, and the turn would go wrong.
    this.#addresses = addresses.sort((a, b) => a.localeCompare(b))
    this.#answeredAt = performance.now()
  }
}

/** The laptop need not know the cluster's domain: the search list that the kubelet wrote for this pod names it. */
function inFull(name: string): string {
  if (!name.endsWith('.svc')) return name
  const domain = /^search\s(?:.*\s)?svc\.(\S+)/m.exec(textOf('/etc/resolv.conf'))?.[1]
  return domain === undefined ? name : `${name}.${domain}`
}

/** An established connection, or undefined; given up when the caller goes, if there is one. Never rejects. */
export function dialPod(caller: Socket | undefined, host: string, port: number): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = connectTo(host, port)
    const settle = (result?: Socket) => {
      clearTimeout(timer)
      caller?.off('close', failed)
      socket.off('error', failed)
      socket.on('error', () => {})
      if (result === undefined) socket.destroy()
      resolve(result)
    }
    const failed = () => settle()
    const timer = setTimeout(failed, POD_MS)
    caller?.on('close', failed)
    socket.on('error', failed)
    socket.on('connect', () => settle(socket))
  })
}
