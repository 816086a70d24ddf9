// Bulk: a bounded number of bytes over some flows at once, verified at both ends.
import { dial, type Target } from './dial.ts'
import { PayloadReader, type Receipt, sendPayload } from './payload.ts'

export type Direction = 'down' | 'up' | 'both'

export interface TransferRequest {
  target: Target
  direction: Direction
  flows: number
  /** Bytes of all flows together, in each direction that is used. */
  bytes: number
  /** Compare SHA-256 of what was sent and what arrived. */
  hashed: boolean
  /** Give up after this long. */
  limitMs: number
}

export interface TransferResult {
  /** From the first connect to the last receipt. */
  ms: number
  /** Payload moved, both directions added up. */
  bytes: number
  /** The longest time in which some unfinished flow made no progress. */
  stallMs: number
  /** SHA-256 of each flow's payload, when hashed; equal at both ends, else the transfer has failed. */
  sha256: string[]
}

/** What one read may bring; with many flows less, to keep the generator small. */
const BUFFER_BYTES = 256 * 1024
const SMALL_BUFFER_BYTES = 64 * 1024
/** Flows from which on buffers are small. */
const MANY_FLOWS = 16

/** Move the bytes; rejects when a count or a digest is wrong, when a flow breaks, or at the time limit. */
export async function transfer(request: TransferRequest): Promise<TransferResult> {
  const each = Math.max(1, Math.floor(request.bytes / request.flows))
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(new Error(`no end after ${request.limitMs} ms`)), request.limitMs)
  const began = performance.now()
  try {
    const flows = await Promise.all(Array.from({ length: request.flows }, () => flow(request, each, stop.signal)))
    return {
      ms: performance.now() - began,
      bytes: each * request.flows * (request.direction === 'both' ? 2 : 1),
      stallMs: Math.max(...flows.map(({ stallMs }) => stallMs)),
      sha256: request.hashed ? flows.map(({ sha256 }) => sha256) : []
    }
  } catch (error) {
    stop.abort(error)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function flow(
  request: TransferRequest,
  bytes: number,
  signal: AbortSignal
): Promise<{ stallMs: number; sha256: string }> {
  const { direction, hashed } = request
  const wire = await dial(request.target, request.flows < MANY_FLOWS ? BUFFER_BYTES : SMALL_BUFFER_BYTES)
  const stop = (): void => {
    wire.socket.destroy(signal.reason as Error)
  }
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  let last = performance.now()
  let stallMs = 0
  const progress = (): void => {
    const now = performance.now()
    stallMs = Math.max(stallMs, now - last)
    last = now
  }
  const reader = new PayloadReader(direction === 'up' ? 0 : bytes, hashed)
  const receipt = new Promise<string>((resolve, reject) => {
    wire.onBytes = chunk => {
      progress()
      reader.take(chunk)
      if (reader.line !== undefined) resolve(reader.line)
    }
    wire.onEnd = error => reject(error ?? new Error(`closed after ${reader.received} of ${bytes} bytes`))
  })
  receipt.catch(() => {}) // awaited below, also when sending fails first
  wire.socket.write(`${direction} ${bytes}${hashed ? ' sha256' : ''}\n`)
  const sent = direction === 'down' ? undefined : await sendPayload(wire.socket, bytes, hashed, progress)
  const theirs = JSON.parse(await receipt) as Receipt
  signal.removeEventListener('abort', stop)
  wire.socket.end()
  compare(theirs, sent ?? reader.receipt(), bytes)
  return { stallMs, sha256: theirs.sha256 }
}

function compare(theirs: Receipt, ours: Receipt, bytes: number): void {
  if (theirs.bytes !== bytes || ours.bytes !== bytes) {
    throw new Error(`${bytes} bytes expected, ${theirs.bytes} there and ${ours.bytes} here`)
  }
  if (theirs.sha256 !== ours.sha256) throw new Error(`SHA-256 differs: ${theirs.sha256} there, ${ours.sha256} here`)
}
