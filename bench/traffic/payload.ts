// The bytes that are moved: blocks that differ from each other, counted and, on demand, hashed at both ends.
import { createHash, type Hash, randomFillSync } from 'node:crypto'
import type { Writable } from 'node:stream'

/** Bytes of one write: large enough that the generator is not what is measured. */
const BLOCK_BYTES = 256 * 1024
/** Each so many bytes carry their number, so that a lost, repeated or exchanged piece changes the digest. */
const STAMP_BYTES = 16 * 1024

/** What one end says about a transfer when it is through. */
export interface Receipt {
  bytes: number
  /** SHA-256 in hex; empty when none was asked for. */
  sha256: string
}

/**
 * Write `bytes` to `out` with backpressure and resolve when the last of them has left this process.
 * Two blocks take turns: while one is being written the other one is made.
 */
export async function sendPayload(
  out: Writable,
  bytes: number,
  hashed: boolean,
  progress?: (bytes: number) => void
): Promise<Receipt> {
  const hash = hashed ? createHash('sha256') : undefined
  const blocks = [randomFillSync(Buffer.alloc(BLOCK_BYTES)), randomFillSync(Buffer.alloc(BLOCK_BYTES))]
  const written: (Promise<void> | undefined)[] = [undefined, undefined]
  let sent = 0
  for (let turn = 0; sent < bytes; turn ^= 1) {
    await written[turn]
    const block = blocks[turn]!.subarray(0, Math.min(BLOCK_BYTES, bytes - sent))
    stamp(block, sent)
    hash?.update(block)
    sent += block.length
    const writing = write(out, block, progress)
    writing.catch(() => {}) // awaited in two turns; until then its failure is not unhandled
    written[turn] = writing
  }
  await Promise.all(written)
  return { bytes: sent, sha256: hash?.digest('hex') ?? '' }
}

function stamp(block: Buffer, position: number): void {
  for (let at = 0; at + 8 <= block.length; at += STAMP_BYTES) block.writeDoubleLE(position + at, at)
}

function write(out: Writable, block: Buffer, progress?: (bytes: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    out.write(block, error => {
      if (error) reject(error)
      else {
        progress?.(block.length)
        resolve()
      }
    })
  })
}

/** Takes what arrives and splits it into the payload, which is counted, and the line of text behind it. */
export class PayloadReader {
  received = 0
  readonly #wanted: number
  readonly #hash: Hash | undefined
  #line = ''

  constructor(wanted: number, hashed: boolean) {
    this.#wanted = wanted
    this.#hash = hashed ? createHash('sha256') : undefined
  }

  /** Take a chunk; keeps nothing of it. */
  take(chunk: Uint8Array): void {
    const payload = Math.min(chunk.length, this.#wanted - this.received)
    if (payload > 0) {
      this.received += payload
      this.#hash?.update(payload === chunk.length ? chunk : chunk.subarray(0, payload))
    }
    if (payload < chunk.length) this.#line += Buffer.from(chunk.subarray(payload)).toString('latin1')
  }

  get complete(): boolean {
    return this.received === this.#wanted
  }

  /** The line that follows the payload, once it is whole. */
  get line(): string | undefined {
    const end = this.#line.indexOf('\n')
    return end < 0 ? undefined : this.#line.slice(0, end)
  }

  /** Call once, at the end. */
  receipt(): Receipt {
    return { bytes: this.received, sha256: this.#hash?.digest('hex') ?? '' }
  }
}
