// RFC 791 §3.2 and RFC 8200 §4.5: packets put together from their fragments. Applications that send datagrams longer than
// the MTU make the kernel send fragments, so this is everyday work, bounded in number, bytes and time.
import { addressesOf, emitIp, type IpView, ipHeaderLength } from '../wire/ip.ts'
import type { StackStats } from './stats.ts'

/** Packets in the making; each is at most 64 KiB, so this also bounds the bytes (4 MiB). The oldest gives way. */
const MAX_PACKETS = 64
/** RFC 791 begins with 15 s. Fragments of the local kernel arrive within a batch; those of others behind it take longer. */
const LIFETIME_MS = 15_000
/** Pieces of a packet that do not touch each other yet. A local kernel sends in order: one. */
const MAX_PIECES = 64
const MAX_LENGTH = 65_535
const FIRST_ROOM = 8192
/** In front of the payload, for the IP header of either version. */
const HEADER_ROOM = 40

/** A packet that is whole again: `bytes[start, end)`, its own memory. */
export interface WholePacket {
  bytes: Uint8Array
  start: number
  end: number
}

class Partial {
  readonly addresses: Uint8Array
  readonly protocol: number
  readonly identification: number
  readonly expiresAt: number
  bytes: Uint8Array = new Uint8Array(HEADER_ROOM + FIRST_ROOM)
  /** Bytes of the payload, known from the last fragment on. */
  length = Infinity
  /** What is here: sorted, disjoint, not touching, as from, to, from, to … */
  pieces: number[] = []

  constructor(packet: IpView, identification: number, now: number) {
    this.addresses = addressesOf(packet)
    this.protocol = packet.protocol
    this.identification = identification
    this.expiresAt = now + LIFETIME_MS
  }

  is(packet: IpView, identification: number): boolean {
    const { addresses } = this
    if (identification !== this.identification || addresses.length !== 2 * packet.addressLength) return false
    // The protocol is part of the identity for IPv4; for IPv6 only the first fragment's counts, and all name the same.
    return (
      packet.protocol === this.protocol && addresses.every((byte, i) => byte === packet.bytes[packet.addresses + i])
    )
  }

  get whole(): boolean {
    return this.pieces.length === 2 && this.pieces[0] === 0 && this.pieces[1] === this.length
  }

  /** Take in `packet`'s bytes for `offset`; false if they cannot belong here, and the packet is to be given up. */
  add(packet: IpView, offset: number, more: boolean): boolean {
    const from = packet.payload
    const to = offset + packet.end - from
    if (to > MAX_LENGTH - (packet.version === 4 ? ipHeaderLength(this.addresses) : 0)) return false
    if (more ? (to & 7) !== 0 || to === offset || to > this.length : this.length !== Infinity && this.length !== to)
      return false
    if (!more && (this.pieces.at(-1) ?? 0) > to) return false
    if (!more) this.length = to
    if (to === offset) return true // an empty last fragment says no more than the length
    const fits = this.#note(offset, to)
    if (fits === 'known') return true
    if (fits === 'overlap') return false
    this.#room(HEADER_ROOM + to)
    this.bytes.set(packet.bytes.subarray(from, packet.end), HEADER_ROOM + offset)
    return true
  }

  /** RFC 5722 and RFC 8200 §4.5: overlapping fragments are an attack; the same piece twice is a duplicate. */
  #note(from: number, to: number): 'new' | 'known' | 'overlap' {
    const { pieces } = this
    let i = 0
    while (i < pieces.length && pieces[i + 1]! < from) i += 2
    // Piece i is the first that ends at or behind `from`.
    if (i < pieces.length && pieces[i]! <= from && to <= pieces[i + 1]!) return 'known'
    const touchesBefore = i < pieces.length && pieces[i + 1] === from
    const next = touchesBefore ? i + 2 : i
    if (next < pieces.length && pieces[next]! < to) return 'overlap'
    const touchesNext = next < pieces.length && pieces[next] === to
    if (touchesBefore && touchesNext) pieces.splice(i + 1, 2)
    else if (touchesBefore) pieces[i + 1] = to
    else if (touchesNext) pieces[next] = from
    else pieces.splice(i, 0, from, to)
    return pieces.length > 2 * MAX_PIECES ? 'overlap' : 'new'
  }

  #room(length: number): void {
    if (length <= this.bytes.length) return
    let room = this.bytes.length
    while (room < length) room *= 2
    const bytes = new Uint8Array(room)
    bytes.set(this.bytes)
    this.bytes = bytes
  }

  finish(): WholePacket {
    const headerLength = ipHeaderLength(this.addresses)
    const start = HEADER_ROOM - headerLength
    emitIp(this.bytes, start, this.addresses, this.protocol, headerLength + this.length)
    return { bytes: this.bytes, start, end: HEADER_ROOM + this.length }
  }
}

export class Reassembly {
  readonly #stats: StackStats
  /** In the order in which they began. */
  readonly #packets: Partial[] = []

  constructor(stats: StackStats) {
    this.#stats = stats
  }

  /** When `timeout` is next due; Infinity if never. */
  get deadline(): number {
    return this.#packets[0]?.expiresAt ?? Infinity
  }

  /** A fragment has arrived. The whole packet if it was the one that was missing. */
  arrive(fragment: IpView, now: number): WholePacket | undefined {
    this.#stats.fragments++
    const { identification, fragmentOffset, moreFragments } = fragment.version === 4 ? fragment.v4 : fragment.v6
    let at = this.#packets.findIndex(packet => packet.is(fragment, identification))
    if (at < 0) {
      if (this.#packets.length === MAX_PACKETS) this.#drop(0)
      at = this.#packets.push(new Partial(fragment, identification, now)) - 1
    }
    const packet = this.#packets[at]!
    if (!packet.add(fragment, fragmentOffset, moreFragments)) {
      this.#drop(at)
      return undefined
    }
    if (!packet.whole) return undefined
    this.#packets.splice(at, 1)
    this.#stats.reassembled++
    return packet.finish()
  }

  /** Give up what was not completed in time. */
  timeout(now: number): void {
    while (now >= this.deadline) this.#drop(0)
  }

  #drop(at: number): void {
    this.#packets.splice(at, 1)
    this.#stats.fragmentsDropped++
  }
}
