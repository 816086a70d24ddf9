// The TUN device of Windows: Wintun (https://git.zx2c4.com/wintun/about/), two rings of packets that it shares with its driver.
// Written to that document, not yet run on Windows.
import { createHash } from 'node:crypto'
import { KtError } from '../errors.ts'
import { BATCH_BYTES, BATCH_PACKETS, type Device, emptyBatch, type PacketBatch } from './device.ts'
import type { WintunCalls } from './wintun.ts'

/** Larger than that of a wire, because nobody else cuts packets up here: a sixth of them for a download. Much larger ones are untested. */
const WINTUN_MTU = 9000
/** What Windows shows as the kind of the adapter. */
const TUNNEL_TYPE = 'kt'
/** Of each ring: packets for some milliseconds in which this process does something else. */
const RING_BYTES = 8 << 20
/** WINTUN_MAX_IP_PACKET_SIZE. */
const MAX_PACKET = 0xffff

// winerror.h
const ERROR_ACCESS_DENIED = 5
const ERROR_HANDLE_EOF = 38
const ERROR_NO_MORE_ITEMS = 259

const READABLE = 0

/**
 * Create an adapter. It exists until `close` or the end of the process. Nothing is configured: addresses, MTU and routes are
 * lib/host's. Throws KT_NO_TUN or KT_NOT_ROOT.
 */
export function openWintun(calls: WintunCalls, name: string): Device {
  const adapter = calls.createAdapter(name, TUNNEL_TYPE, guidOf(name))
  if (adapter === 0) throw problem(calls, 'WintunCreateAdapter', name)
  const session = calls.startSession(adapter, RING_BYTES)
  if (session === 0) {
    const error = problem(calls, 'WintunStartSession', name)
    calls.closeAdapter(adapter)
    throw error
  }
  return new WindowsTun(calls, { adapter, session, name })
}

/** The same for the same name: with a new one each time Windows would ask each time what kind of network this is. */
function guidOf(name: string): Uint8Array {
  return createHash('sha256').update(`kt adapter ${name}`).digest().subarray(0, 16)
}

/** Reading: a thread waits for the event of the ring, we then take what is there. Packets are copied: their place in the ring is needed. */
class WindowsTun implements Device {
  readonly name: string
  readonly mtu = WINTUN_MTU
  readonly offload = false
  readonly headroom = 0
  readonly #calls: WintunCalls
  readonly #adapter: number
  readonly #session: number
  /** Set for good when the thread is to stop waiting. */
  readonly #stop: number
  readonly #memory: Uint8Array<ArrayBuffer> = new Uint8Array(BATCH_BYTES)
  readonly #address: number
  readonly #size = new Uint32Array(1)
  readonly #batch: PacketBatch
  #received: (batch: PacketBatch) => void = () => {}
  #lost: ((error: Error) => void) | undefined
  #reading: Promise<void> | undefined
  /** Resolves when reading goes on. */
  #paused: PromiseWithResolvers<void> | undefined
  #written: ArrayBufferLike | undefined
  #writtenAddress = 0
  #ended: boolean = false
  #closing: Promise<void> | undefined

  constructor(calls: WintunCalls, { adapter, session, name }: { adapter: number; session: number; name: string }) {
    this.#calls = calls
    this.#adapter = adapter
    this.#session = session
    this.name = name
    this.#stop = calls.createEvent()
    this.#address = calls.addressOf(this.#memory)
    this.#batch = emptyBatch(this.#memory)
  }

  start(received: (batch: PacketBatch) => void, lost: (error: Error) => void): void {
    this.#received = received
    this.#lost = lost
    this.#reading = this.#read().catch((error: Error) => this.#gone(error))
  }

  async #read(): Promise<void> {
    const calls = this.#calls
    const readable = calls.readWaitEvent(this.#session)
    while (!this.#ended) {
      await this.#paused?.promise
      if (this.#ended) return
      const drained = this.#drain()
      if (this.#batch.count > 0) this.#received(this.#batch)
      if (!drained) await new Promise(resolve => setImmediate(resolve))
      else if (!this.#ended && (await calls.waitForEither(readable, this.#stop)) !== READABLE && !this.#ended)
        throw new Error('WaitForMultipleObjects has failed')
    }
  }

  /** Fill the batch; true: nothing waits any more. */
  #drain(): boolean {
    const { starts, ends } = this.#batch
    const calls = this.#calls
    let count = 0
    let at = 0
    let drained = false
    while (count < BATCH_PACKETS && at + MAX_PACKET <= BATCH_BYTES) {
      const packet = calls.receivePacket(this.#session, this.#size)
      if (packet === 0) {
        const code = calls.lastError()
        if (code !== ERROR_NO_MORE_ITEMS) this.#gone(new Error(`WintunReceivePacket: error ${code}`))
        drained = true
        break
      }
      const length = this.#size[0]!
      calls.copy(this.#address + at, packet, length)
      calls.releaseReceivePacket(this.#session, packet)
      starts[count] = at
      ends[count] = at + length
      count++
      at = (at + length + 15) & ~15
    }
    this.#batch.count = count
    return drained
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    const version = bytes[start]! >> 4
    if (this.#ended || end <= start || end - start > MAX_PACKET || (version !== 4 && version !== 6)) return false
    const calls = this.#calls
    const packet = calls.allocateSendPacket(this.#session, end - start)
    if (packet === 0) {
      // Otherwise the ring is full: lost on the way.
      const code = calls.lastError()
      if (code === ERROR_HANDLE_EOF) this.#gone(new Error(`WintunAllocateSendPacket: error ${code}`))
      return false
    }
    if (bytes.buffer !== this.#written) {
      this.#written = bytes.buffer
      this.#writtenAddress = calls.addressOf(new Uint8Array(bytes.buffer))
    }
    calls.copy(packet, this.#writtenAddress + bytes.byteOffset + start, end - start)
    calls.sendPacket(this.#session, packet)
    return true
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers()
  }

  resume(): void {
    this.#paused?.resolve()
    this.#paused = undefined
  }

  close(): Promise<void> {
    this.#lost = undefined
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#ended = true
    this.resume()
    const calls = this.#calls
    calls.setEvent(this.#stop)
    await this.#reading // its thread still waits for an event of the session
    calls.endSession(this.#session)
    calls.closeAdapter(this.#adapter)
    calls.closeHandle(this.#stop)
  }

  #gone(cause: Error): void {
    const lost = this.#lost
    this.#lost = undefined
    this.#ended = true
    lost?.(
      new KtError('KT_DEVICE_LOST', `the adapter ${this.name} is gone`, {
        hint: 'Something removed it: start kt again',
        cause
      })
    )
  }
}

function problem(calls: WintunCalls, call: string, name: string): KtError {
  const code = calls.lastError()
  if (code === ERROR_ACCESS_DENIED)
    return new KtError('KT_NOT_ROOT', 'no right to create a network adapter', {
      hint: 'Run kt in a terminal that was opened "as administrator"'
    })
  return new KtError('KT_NO_TUN', `Wintun cannot make the adapter ${name}: ${call}, error ${code}`, {
    hint: 'another program may use the name; is wintun.dll of version 0.14 or later?'
  })
}
