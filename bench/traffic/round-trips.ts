// Small things: round trips of 64 bytes, new connections, HTTP requests, datagrams. Bounded by count and by time.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { dial, type Target, type Wire } from './dial.ts'

export interface RoundTripRequest {
  kind: 'echo' | 'connect' | 'request' | 'request-new' | 'datagram'
  target: Target
  /** The most samples. */
  count: number
  /** How many at once. */
  concurrency: number
  /** No new sample begins after this long. */
  limitMs: number
}

/** Times in milliseconds. */
export interface RoundTripResult {
  samples: number
  failed: number
  p50: number
  p99: number
  max: number
  perSecond: number
}

/** Bytes of a small message. */
const MESSAGE_BYTES = 64
const SMALL_BUFFER_BYTES = 4096
/** A datagram that has not come back by then is lost. */
const DATAGRAM_MS = 1000
/** One answer of a stream; a way that has hung must not hang the benchmark. */
const ANSWER_MS = 20_000

/** One after the other on each of `concurrency` lanes, until the count or the time is reached. */
export async function roundTrips(request: RoundTripRequest): Promise<RoundTripResult> {
  const times: number[] = []
  let failed = 0
  let left = request.count
  const began = performance.now()
  const lane = async (): Promise<void> => {
    const trip = await openLane(request)
    try {
      while (left-- > 0 && performance.now() - began < request.limitMs) {
        const from = performance.now()
        if (await trip.once()) times.push(performance.now() - from)
        else failed++
      }
    } finally {
      trip.close()
    }
  }
  await Promise.all(Array.from({ length: request.concurrency }, lane))
  const perSecond = (times.length / (performance.now() - began)) * 1000
  times.sort((a, b) => a - b)
  const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(times.length * q))] ?? Number.NaN
  return { samples: times.length, failed, p50: quantile(0.5), p99: quantile(0.99), max: quantile(1), perSecond }
}

/** One lane: `once` resolves to false when there was no answer. */
interface Lane {
  once(): Promise<boolean>
  close(): void
}

async function openLane({ kind, target }: RoundTripRequest): Promise<Lane> {
  switch (kind) {
    case 'echo':
      return echoLane(target)
    case 'request':
      return requestLane(target)
    case 'datagram':
      return datagramLane(target)
    default:
      return { once: () => fresh(kind, target).catch(() => false), close: () => {} }
  }
}

async function echoLane(target: Target): Promise<Lane> {
  const wire = await dial(target, SMALL_BUFFER_BYTES)
  wire.socket.write('echo\n')
  const message = Buffer.alloc(MESSAGE_BYTES, 'k')
  return { once: () => exchange(wire, message, length => length >= MESSAGE_BYTES), close: () => wire.socket.destroy() }
}

async function requestLane(target: Target): Promise<Lane> {
  const wire = await dial(target, SMALL_BUFFER_BYTES)
  return { once: () => get(wire), close: () => wire.socket.destroy() }
}

/** A new connection for one message or request; ends when the whole answer is there. */
async function fresh(kind: 'connect' | 'request-new', target: Target): Promise<boolean> {
  const wire = await dial(target, SMALL_BUFFER_BYTES)
  try {
    if (kind === 'request-new') return await get(wire)
    return await exchange(wire, Buffer.from(`echo\n${'k'.repeat(MESSAGE_BYTES)}`), length => length >= 1)
  } finally {
    wire.socket.destroy()
  }
}

const GET = Buffer.from('GET / HTTP/1.1\r\nHost: traffic\r\n\r\n')

function get(wire: Wire): Promise<boolean> {
  let text = ''
  return exchange(wire, GET, (_, bytes) => {
    text += Buffer.from(bytes).toString('latin1')
    const body = text.indexOf('\r\n\r\n') + 4
    const length = /content-length: (\d+)/i.exec(text)
    return body > 3 && length !== null && text.length - body >= Number(length[1])
  })
}

/** Send a message; true once `complete` says so of what has come back, false when the connection ends before. */
function exchange(
  wire: Wire,
  message: Uint8Array,
  complete: (received: number, bytes: Uint8Array) => boolean
): Promise<boolean> {
  return new Promise(resolve => {
    let received = 0
    const timer = setTimeout(() => wire.socket.destroy(), ANSWER_MS)
    const done = (good: boolean): void => {
      clearTimeout(timer)
      resolve(good)
    }
    wire.onEnd = () => done(false)
    wire.onBytes = bytes => {
      received += bytes.length
      if (complete(received, bytes)) done(true)
    }
    if (wire.socket.destroyed) done(false)
    else wire.socket.write(message)
  })
}

async function datagramLane(target: Target): Promise<Lane> {
  const socket = createSocket('udp4')
  socket.on('error', () => {})
  socket.connect(target.port, target.host)
  await once(socket, 'connect')
  let number = 0
  let heard: (number: number) => void = () => {}
  socket.on('message', message => heard(message.readUInt32LE(0)))
  return {
    once: () =>
      new Promise(resolve => {
        const message = Buffer.alloc(MESSAGE_BYTES)
        const mine = number++
        message.writeUInt32LE(mine)
        const timer = setTimeout(() => resolve(false), DATAGRAM_MS)
        heard = answered => {
          if (answered !== mine) return // late, of a message that counts as lost
          clearTimeout(timer)
          resolve(true)
        }
        socket.send(message)
      }),
    close: () => socket.close()
  }
}
