// wintun.dll and kernel32.dll as lib/tun/windows.ts sees them, by wintun.h: two rings in memory that is addressed by numbers, events, handles.
// What would be an access violation or a handle that is used after its end throws.
import assert from 'node:assert/strict'
import type { WintunCalls } from '../../lib/tun/wintun.ts'

const ERROR_HANDLE_EOF = 38
const ERROR_BUFFER_OVERFLOW = 111
const ERROR_INVALID_PARAMETER = 87
const ERROR_NO_MORE_ITEMS = 259
const MIN_RING = 0x20000
const MAX_RING = 0x4000000
/** Between two pieces of memory: who goes beyond the end of one is not in the next. */
const GAP = 1 << 20

interface RingPacket {
  address: number
  size: number
  released: boolean
}

/** A ring: packets lie one behind the other, what is released is free again in the order of the packets. */
class Ring {
  readonly packets: RingPacket[] = []
  readonly #base: number
  readonly #capacity: number
  #tail = 0
  #used = 0

  constructor(base: number, capacity: number) {
    this.#base = base
    this.#capacity = capacity
  }

  /** Undefined: it is full. */
  allocate(size: number): RingPacket | undefined {
    const needs = (size + 4 + 3) & ~3
    const atEnd = this.#tail + needs > this.#capacity ? this.#capacity - this.#tail : 0
    if (this.#used + needs + atEnd > this.#capacity) return undefined
    if (atEnd > 0) {
      this.packets.push({ address: -1, size: atEnd - 4, released: true })
      this.#used += atEnd
      this.#tail = 0
    }
    const packet = { address: this.#base + this.#tail + 4, size, released: false }
    this.#tail = (this.#tail + needs) % this.#capacity
    this.#used += needs
    this.packets.push(packet)
    return packet
  }

  release(address: number): void {
    const packet = this.packets.find(each => each.address === address && !each.released)
    assert.ok(packet, 'a packet of this ring is released, once')
    packet.released = true
    while (this.packets[0]?.released) this.#used -= (this.packets.shift()!.size + 4 + 3) & ~3
  }
}

interface Event {
  isSet: boolean
  manual: boolean
  waiters: number
}

export interface WintunOptions {
  /** WintunCreateAdapter fails so. */
  refuse?: number
  /** Called with each packet that is sent. */
  sent(packet: Uint8Array): void
}

export class WintunModel implements WintunCalls {
  readonly #options: WintunOptions
  readonly #memory = new Map<ArrayBufferLike, number>()
  readonly #handles = new Map<number, 'adapter' | 'session' | Event>()
  readonly #changed = new Set<() => void>()
  #next = GAP
  #error = 0
  #capacity = 0
  #readable = 0
  #receiving = new Ring(0, 0)
  /** Handed to the reader and not yet released, or not yet handed over. */
  #unread: RingPacket[] = []
  readonly #sending = new Map<number, number>()
  #lost: boolean = false
  /** Packets for which the ring had no room. */
  dropped = 0

  constructor(options: WintunOptions) {
    this.#options = options
  }

  /** Adapters, sessions and events that are not closed. */
  get open(): number {
    return this.#handles.size
  }

  /** A packet of the laptop's goes into the device. */
  inject(packet: Uint8Array): void {
    const place = this.#receiving.allocate(packet.length)
    if (place === undefined) {
      this.dropped++
      return
    }
    this.#at(place.address, packet.length).set(packet)
    this.#unread.push(place)
    this.#set(this.#readable)
  }

  /** The adapter is removed from outside. */
  lose(): void {
    this.#lost = true
    this.#set(this.#readable)
  }

  createAdapter(name: string, type: string, guid: Uint8Array): number {
    assert.ok(name.length > 0 && name.length < 128 && type.length > 0)
    assert.equal(guid.length, 16)
    return this.#options.refuse === undefined ? this.#open('adapter') : this.#fail(this.#options.refuse)
  }

  closeAdapter(adapter: number): void {
    assert.ok(![...this.#handles.values()].includes('session'), 'the session is ended first')
    this.#close(adapter, 'adapter')
  }

  startSession(adapter: number, capacity: number): number {
    assert.equal(this.#handles.get(adapter), 'adapter')
    if (capacity < MIN_RING || capacity > MAX_RING || (capacity & (capacity - 1)) !== 0)
      return this.#fail(ERROR_INVALID_PARAMETER)
    this.#capacity = capacity
    this.#receiving = new Ring(this.addressOf(new Uint8Array(capacity)), capacity)
    this.#readable = this.#open({ isSet: false, manual: false, waiters: 0 })
    return this.#open('session')
  }

  endSession(session: number): void {
    assert.equal(this.#event(this.#readable).waiters, 0, 'nobody waits for an event of a session that ends')
    this.#handles.delete(this.#readable)
    this.#close(session, 'session')
  }

  readWaitEvent(session: number): number {
    assert.equal(this.#handles.get(session), 'session')
    return this.#readable
  }

  receivePacket(session: number, size: Uint32Array): number {
    assert.equal(this.#handles.get(session), 'session')
    if (this.#lost) return this.#fail(ERROR_HANDLE_EOF)
    const packet = this.#unread.shift()
    if (packet === undefined) return this.#fail(ERROR_NO_MORE_ITEMS)
    size[0] = packet.size
    return packet.address
  }

  releaseReceivePacket(session: number, packet: number): void {
    assert.equal(this.#handles.get(session), 'session')
    this.#at(packet, 1).fill(0xee)
    this.#receiving.release(packet)
  }

  allocateSendPacket(session: number, size: number): number {
    assert.equal(this.#handles.get(session), 'session')
    assert.ok(size > 0 && size <= 0xffff, 'WINTUN_MAX_IP_PACKET_SIZE')
    if (this.#lost) return this.#fail(ERROR_HANDLE_EOF)
    if (this.#sending.size * 0x10000 > this.#capacity) return this.#fail(ERROR_BUFFER_OVERFLOW)
    const address = this.addressOf(new Uint8Array(size))
    this.#sending.set(address, size)
    return address
  }

  sendPacket(session: number, packet: number): void {
    assert.equal(this.#handles.get(session), 'session')
    const size = this.#sending.get(packet)
    assert.ok(size !== undefined, 'a packet that was allocated is sent, once')
    this.#sending.delete(packet)
    const bytes = this.#at(packet, size).slice()
    this.#memory.delete(this.#at(packet, size).buffer)
    this.#options.sent(bytes)
  }

  lastError(): number {
    return this.#error
  }

  createEvent(): number {
    return this.#open({ isSet: false, manual: true, waiters: 0 })
  }

  setEvent(event: number): void {
    this.#set(event)
  }

  closeHandle(handle: number): void {
    assert.equal(this.#event(handle).waiters, 0, 'nobody waits for a handle that is closed')
    this.#handles.delete(handle)
  }

  /** As WaitForMultipleObjects: an event that is not manual is reset by who has waited for it. */
  async waitForEither(first: number, second: number): Promise<number> {
    const events = [this.#event(first), this.#event(second)]
    for (const event of events) event.waiters++
    try {
      for (;;) {
        await new Promise(resolve => setImmediate(resolve)) // a thread hands over to the loop
        const which = events.findIndex(({ isSet }) => isSet)
        if (which >= 0) {
          if (!events[which]!.manual) events[which]!.isSet = false
          return which
        }
        await new Promise<void>(resolve => this.#changed.add(resolve))
      }
    } finally {
      for (const event of events) event.waiters--
    }
  }

  copy(to: number, from: number, length: number): void {
    this.#at(to, length).set(this.#at(from, length))
  }

  addressOf(bytes: Uint8Array): number {
    assert.equal(bytes.byteOffset, 0)
    const known = this.#memory.get(bytes.buffer)
    if (known !== undefined) return known
    const base = this.#next
    this.#next += bytes.buffer.byteLength + GAP
    this.#memory.set(bytes.buffer, base)
    return base
  }

  #at(address: number, length: number): Uint8Array {
    for (const [buffer, base] of this.#memory)
      if (address >= base && address + length <= base + buffer.byteLength)
        return new Uint8Array(buffer, address - base, length)
    throw new Error(`access violation: ${length} bytes at ${address}`)
  }

  #fail(code: number): 0 {
    this.#error = code
    return 0
  }

  #open(what: 'adapter' | 'session' | Event): number {
    const handle = this.#next++
    this.#handles.set(handle, what)
    return handle
  }

  #close(handle: number, what: 'adapter' | 'session'): void {
    assert.equal(this.#handles.get(handle), what)
    this.#handles.delete(handle)
  }

  #event(handle: number): Event {
    const event = this.#handles.get(handle)
    assert.ok(typeof event === 'object', 'an event that is open')
    return event
  }

  #set(handle: number): void {
    const event = this.#handles.get(handle)
    if (typeof event !== 'object') return // the device is closed
    event.isSet = true
    for (const resolve of this.#changed) resolve()
    this.#changed.clear()
  }
}
