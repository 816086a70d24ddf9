// spec.md, "Traffic": what `kt bench` says to the agent's port for it, over whatever way it measures, and what it reads from the answers.
import type { Duplex } from 'node:stream'

/** The first byte a caller says: what the port is to be for it. */
export const SOURCE = 0x64
export const SINK = 0x75
export const ECHO = 0x65
/** A sink answers one byte for so many. */
export const SINK_STEP = 65_536

/** Not counted at the start of a transfer, ms: buffers fill, windows and estimates grow. */
const RUN_UP_MS = 700
/** A write, bytes: the largest that Node's streams take in one piece on every way. */
const BLOCK_BYTES = 65_536
const ECHO_BYTES = 64
const MB = 1_000_000

/** Bytes that arrive from a source, MB/s, over `ms`. Ends the way. */
export async function download(way: Duplex, ms: number): Promise<number> {
  way.write(Uint8Array.of(SOURCE))
  return await counted(way, ms, chunk => chunk.length)
}

/** Bytes that a sink says it has, MB/s, over `ms`. Ends the way. */
export async function upload(way: Duplex, ms: number): Promise<number> {
  way.write(Uint8Array.of(SINK))
  const block = new Uint8Array(BLOCK_BYTES)
  const more = (): void => {
    while (!way.destroyed && way.write(block));
  }
  way.on('drain', more)
  const rate = counted(way, ms, chunk => chunk.length * SINK_STEP)
  more()
  return await rate
}

/** Round trips of 64 bytes one after the other for `ms`, each in ms, sorted. Ends the way. */
export async function echoes(way: Duplex, ms: number): Promise<number[]> {
  way.write(Uint8Array.of(ECHO))
  const times: number[] = []
  const began = performance.now()
  let sentAt = began
  let missing = ECHO_BYTES
  const send = (): void => {
    sentAt = performance.now()
    missing = ECHO_BYTES
    way.write(new Uint8Array(ECHO_BYTES))
  }
  await reading(way, ended => {
    way.on('data', (chunk: Uint8Array) => {
      missing -= chunk.length
      if (missing > 0) return
      const now = performance.now()
      times.push(now - sentAt)
      if (now - began < ms) send()
      else ended()
    })
    send()
  })
  return times.sort((a, b) => a - b)
}

/** MB/s of what `worth` makes of the chunks that come after the run-up. */
async function counted(way: Duplex, ms: number, worth: (chunk: Uint8Array) => number): Promise<number> {
  let sum = 0
  let from = Number.POSITIVE_INFINITY
  let took = 0
  await reading(way, ended => {
    way.on('data', (chunk: Uint8Array) => {
      sum += worth(chunk)
      if ('recycle' in way && typeof way.recycle === 'function') way.recycle(chunk)
    })
    setTimeout(() => {
      sum = 0
      from = performance.now()
    }, RUN_UP_MS).unref()
    setTimeout(() => {
      took = performance.now() - from
      ended()
    }, RUN_UP_MS + ms)
  })
  return sum / MB / (took / 1_000)
}

/** Resolves when `begin` has called back; the way is destroyed then. Rejects when it breaks before. */
async function reading(way: Duplex, begin: (ended: () => void) => void): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      way.on('error', reject)
      way.on('close', () => reject(new Error('the way was closed')))
      way.on('end', () => reject(new Error('the other end has gone')))
      begin(resolve)
    })
  } finally {
    way.on('error', () => {})
    way.destroy()
  }
}
