// Two endpoints over a link in virtual time: nobody sleeps, the clock jumps to the next event.
import { Endpoint } from '../../lib/tcp/endpoint.ts'
import { answerWithReset } from '../../lib/tcp/reset.ts'
import type { TcbOptions } from '../../lib/tcp/tcb.ts'
import { FIN, HEADER_LENGTH, PSH, SYN, TcpView } from '../../lib/wire/tcp.ts'
import { Link, type LinkOptions } from '../_support/link.ts'
import { random } from '../_support/random.ts'

export interface Conversation {
  /** What each end sends before it closes. */
  texts: readonly [Uint8Array, Uint8Array]
  options: readonly [Partial<TcbOptions>, Partial<TcbOptions>]
  link: LinkOptions
  seed: number
  /** Chance that an end which could read does so at once; else it waits for the next event. */
  eagerness?: number
  /** The clock may not go beyond. */
  untilMs?: number
}

export interface Outcome {
  /** What each end received. */
  got: readonly [Buffer, Buffer]
  ends: readonly [Endpoint, Endpoint]
  /** When the last byte of text was read. */
  doneMs: number
  lost: number
}

/** Largest packet of an end: a super-segment and its header. */
const PACKET_BYTES = 66_000

/** The device: a segment above the MSS is cut up, as the kernel's GSO does. Each piece is new memory. */
function pieces(seg: TcpView, mss: number): Uint8Array[] {
  if (seg.textLength <= mss) return [seg.bytes.slice(seg.start, seg.end)]
  const { sourcePort, destinationPort, seq, ack, flags, wnd, text } = seg
  const list: Uint8Array[] = []
  for (let at = 0; at < text.length; at += mss) {
    const part = text.subarray(at, at + mss)
    const piece = new TcpView()
    piece.bytes = new Uint8Array(HEADER_LENGTH + part.length)
    piece.bytes.set(part, HEADER_LENGTH)
    const isLast = at + mss >= text.length
    piece.emit(sourcePort, destinationPort, (seq + at) | 0, ack, isLast ? flags : flags & ~(FIN | PSH), wnd)
    list.push(piece.bytes)
  }
  return list
}

class Pair {
  readonly ends: readonly [Endpoint, Endpoint]
  readonly link: Link
  readonly got: [Uint8Array[], Uint8Array[]] = [[], []]
  now = 0
  doneMs = 0
  readonly #dice: () => number
  readonly #eagerness: number
  readonly #todo: [Uint8Array, Uint8Array]
  readonly #out = new TcpView()
  readonly #seg = new TcpView()

  constructor({ texts, options, link, seed, eagerness = 1 }: Conversation) {
    this.#dice = random(seed)
    this.#eagerness = eagerness
    this.#todo = [...texts]
    this.link = new Link(link, this.#dice)
    // They meet in SYN_RECEIVED, as after a simultaneous open: each takes the other's SYN as seen.
    const [a, b] = options
    const isn = [(this.#dice() * 2 ** 32) | 0, (this.#dice() * 2 ** 32) | 0] as const
    const base = { wnd: 4096, mss: 536, ownMss: 1460, maxSegment: 1460, userTimeoutMs: 3_600_000 }
    this.ends = [
      new Endpoint({ ...base, iss: isn[0], irs: isn[1], ...a }),
      new Endpoint({ ...base, iss: isn[1], irs: isn[0], ...b })
    ]
    this.#out.bytes = new Uint8Array(PACKET_BYTES)
  }

  /** One end does all it can at this moment. */
  act(i: 0 | 1): void {
    const end = this.ends[i]
    const left = this.#todo[i]
    if (left.length > 0) this.#todo[i] = left.subarray(end.send(left))
    else end.shutdown(this.now)
    if (this.#eagerness === 1 || this.#dice() < this.#eagerness) this.#read(i)
    this.#out.start = 0
    while (end.transmit(this.#out, 1, 2, this.now)) {
      for (const piece of pieces(this.#out, end.mss)) this.link.send(i === 0 ? 1 : 0, piece, this.now)
    }
  }

  #read(i: 0 | 1): void {
    const end = this.ends[i]
    for (let r = end.received(); r.length > 0; r = end.received()) {
      this.got[i].push(r.slice())
      end.consumed(r.length)
      this.doneMs = this.now
    }
  }

  /** Move the clock to the next event; false: there is none. */
  step(): boolean {
    const [a, b] = this.ends
    const unread = a.unread > 0 || b.unread > 0
    const next = Math.min(this.link.next, a.deadline, b.deadline, unread ? this.now + 5 : Infinity)
    if (next === Infinity) return false
    this.now = Math.max(this.now, next)
    for (let p = this.link.receive(this.now); p !== undefined; p = this.link.receive(this.now)) this.#deliver(p)
    a.timeout(this.now)
    b.timeout(this.now)
    return true
  }

  #deliver({ to, bytes }: { to: 0 | 1; bytes: Uint8Array }): void {
    const seg = this.#seg
    if (!seg.wrap(bytes, 0, bytes.length)) throw new Error('the endpoint wrote no segment')
    const end = this.ends[to]
    if (end.state !== 'CLOSED') {
      end.segmentArrives(seg, this.now)
    } else if (!seg.has(SYN)) {
      // The stack's part: the connection is forgotten.
      const out = new TcpView()
      out.bytes = new Uint8Array(HEADER_LENGTH)
      if (answerWithReset(seg, out)) this.link.send(to === 0 ? 1 : 0, out.bytes, this.now)
    }
  }
}

/** Runs until both ends are closed and read empty, nothing happens any more, or time is up. */
export function converse(conversation: Conversation): Outcome {
  const pair = new Pair(conversation)
  const { ends, link, got } = pair
  const until = conversation.untilMs ?? Infinity
  for (;;) {
    pair.act(0)
    pair.act(1)
    if (ends.every(e => e.state === 'CLOSED' && e.unread === 0)) break
    if (!pair.step() || pair.now > until) break
  }
  return { got: [Buffer.concat(got[0]), Buffer.concat(got[1])], ends, doneMs: pair.doneMs, lost: link.lost }
}
