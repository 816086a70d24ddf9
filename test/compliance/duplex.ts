// One suite for every byte stream of ours: what a Duplex in the middle of kt must do, whatever carries it.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { TestFn } from 'ava'

export interface Pair {
  a: Duplex
  b: Duplex
  /** Free what is behind the pair. */
  close(): Promise<void>
}

export interface DuplexFeatures {
  /** `end()` of one side leaves the other direction open. */
  halfClose: boolean
  /** `destroy()` before the end is an error at the other side, not an end. */
  reset: boolean
  /** More than this must never be accepted while nobody reads, bytes. */
  unreadBytes: number
}

/** Declare the suite: `duplexTests(test, 'mux stream', makePair, { halfClose: true, reset: true, unreadBytes })`. */
export function duplexTests(test: TestFn, name: string, makePair: () => Promise<Pair>, features: DuplexFeatures): void {
  test(`${name}: bytes arrive in order, both ways at once`, async t => {
    const { a, b, close } = await makePair()
    const [atB, atA] = await Promise.all([hashOf(b), hashOf(a), pour(a, 3_000_000, 1), pour(b, 2_000_000, 2)])
    t.is(atB, expected(3_000_000, 1))
    t.is(atA, expected(2_000_000, 2))
    await close()
  })

  test(`${name}: writes of odd sizes, also empty ones`, async t => {
    const { a, b, close } = await makePair()
    const received = bytesOf(b)
    const sizes = [0, 1, 2, 3, 1_000, 0, 65_535, 65_536, 65_537, 131_073, 1]
    const sent = sizes.map((size, i) => Buffer.alloc(size, i))
    for (const bytes of sent) a.write(bytes)
    a.end()
    b.end()
    t.deepEqual(await received, Buffer.concat(sent))
    await close()
  })

  test(`${name}: a reader that does not read holds the writer back`, async t => {
    const { a, b, close } = await makePair()
    const chunk = Buffer.alloc(16_384)
    let accepted = 0
    let taken = 0
    while (accepted < features.unreadBytes * 4 && taken === accepted / chunk.length) {
      accepted += chunk.length
      const done = new Promise<boolean>(resolve => {
        a.write(chunk, () => resolve(true))
      })
      taken += (await Promise.race([done, later(150)])) ? 1 : 0
    }
    t.true(accepted <= features.unreadBytes, `${accepted} bytes accepted`)
    const received = bytesOf(b)
    a.end()
    b.end()
    t.is((await received).length, accepted)
    await close()
  })

  test(`${name}: 2 MB through reads of one byte`, async t => {
    const { a, b, close } = await makePair()
    const total = 2_000_000
    const poured = pour(a, total, 3)
    const hash = createHash('sha256')
    let count = 0
    const block = Buffer.alloc(65_536)
    const began = performance.now()
    await new Promise<void>(resolve => {
      b.on('end', resolve)
      b.on('readable', () => {
        for (let byte = b.read(1) as Buffer | null; byte !== null; byte = b.read(1) as Buffer | null) {
          block[count % block.length] = byte[0]!
          count += 1
          if (count % block.length === 0) hash.update(block)
        }
      })
    })
    hash.update(block.subarray(0, count % block.length))
    await poured
    t.is(count, total)
    t.is(hash.digest('hex'), expected(total, 3))
    t.true(performance.now() - began < 60_000)
    await close()
  })

  if (features.halfClose) {
    test(`${name}: the end of one direction leaves the other open`, async t => {
      const { a, b, close } = await makePair()
      a.end('question')
      t.is(String(await bytesOf(b)), 'question')
      await later(20)
      t.true(b.writable)
      b.write('ans')
      b.end('wer')
      t.is(String(await bytesOf(a)), 'answer')
      await Promise.all([closed(a), closed(b)])
      t.pass()
      await close()
    })
  }

  if (features.reset) {
    test(`${name}: destroy before the end is an error at the other side`, async t => {
      const { a, b, close } = await makePair()
      b.resume()
      let ended = false
      b.on('end', () => {
        ended = true
      })
      const failure = new Promise<Error>(resolve => b.once('error', resolve))
      a.on('error', () => {})
      a.write('some')
      await once(b, 'data')
      a.destroy(new Error('told by the test'))
      t.true((await failure) instanceof Error)
      t.false(ended)
      await close()
    })
  }
}

/** Byte i of stream `seed`. A period that no power of two divides, so that a lost or doubled block shows. */
function patternInto(bytes: Uint8Array, from: number, seed: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = ((from + i) * 31 + seed * 17 + Math.floor((from + i) / 251)) & 0xff
}

/** Write `total` bytes of pattern `seed`, with regard to backpressure, then end. */
export async function pour(to: Duplex, total: number, seed: number): Promise<void> {
  for (let at = 0; at < total; ) {
    const bytes = Buffer.alloc(Math.min(50_000, total - at))
    patternInto(bytes, at, seed)
    at += bytes.length
    if (!to.write(bytes)) await once(to, 'drain')
  }
  to.end()
}

export function expected(total: number, seed: number): string {
  const bytes = Buffer.alloc(total)
  patternInto(bytes, 0, seed)
  return createHash('sha256').update(bytes).digest('hex')
}

export async function hashOf(from: Duplex): Promise<string> {
  const hash = createHash('sha256')
  from.on('data', (bytes: Uint8Array) => hash.update(bytes))
  await once(from, 'end')
  return hash.digest('hex')
}

export async function bytesOf(from: Duplex): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  from.on('data', (bytes: Uint8Array) => chunks.push(bytes))
  await once(from, 'end')
  return Buffer.concat(chunks)
}

async function closed(duplex: Duplex): Promise<void> {
  if (!duplex.closed) await once(duplex, 'close')
}

async function later(ms: number): Promise<false> {
  return await new Promise(resolve => setTimeout(() => resolve(false), ms))
}
