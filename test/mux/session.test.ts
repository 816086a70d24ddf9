import { once } from 'node:events'
import { Duplex } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { MuxSession } from '../../lib/mux/session.ts'
import type { MuxResetError, MuxStream } from '../../lib/mux/stream.ts'
import { choppyPair, plainPair } from '../_support/carriers.ts'
import { random } from '../_support/random.ts'
import { bytesOf, expected, hashOf, pour } from '../compliance/duplex.ts'
import { sessions } from './_pair.ts'

function echo(stream: MuxStream): void {
  stream.pipe(stream)
}

test('the request arrives with the stream', async t => {
  let request = ''
  const { client, close } = sessions((stream, bytes) => {
    request = String(Buffer.from(bytes))
    stream.destroy()
  })
  await once(client.open(Buffer.from('what it is for')), 'close').catch(() => {})
  t.is(request, 'what it is for')
  await close()
})

test('what one turn of the event loop brings leaves as one write, and the end behind it', async t => {
  const [near, far] = plainPair()
  const writes: number[] = []
  const carrier = new Duplex({
    highWaterMark: 262_144,
    read: () => void near.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      writes.push(chunk.length)
      near.write(chunk, done)
    },
    writev: (chunks, done) => {
      const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer))
      writes.push(bytes.length)
      near.write(bytes, done)
    },
    final: done => void near.end(done)
  })
  near.on('data', (bytes: Buffer) => void (carrier.push(Buffer.from(bytes)) || near.pause()))
  near.on('end', () => void carrier.push(null))
  const { client, close } = sessions(echo, [carrier, far])
  const stream = client.open(Buffer.of(1))
  stream.write('x')
  await once(stream, 'data') // and more credit with it
  writes.length = 0
  for (let i = 0; i < 3; i++) stream.write(Buffer.alloc(60_000, i))
  stream.end()
  t.is((await bytesOf(stream)).length, 180_000)
  t.true(writes[0]! > 180_000, `${writes}`)
  await close()
})

test('both sides may open streams', async t => {
  const [near, far] = plainPair()
  const agent = new MuxSession(far, { role: 'agent', onStream: echo })
  const client = new MuxSession(near, { role: 'client', onStream: echo })
  const streams = [client.open(Buffer.of(1)), agent.open(Buffer.of(2)), client.open(Buffer.of(3))]
  t.deepEqual(
    streams.map(({ id }) => id),
    [1, 2, 3]
  )
  for (const stream of streams) {
    stream.end('there and back')
    t.is(String(await bytesOf(stream)), 'there and back')
  }
  await client.close()
  t.is((await agent.closed).code, 'done')
})

test('random streams over a carrier in random pieces: every byte, in order, both ends close', async t => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 12 }), async (seed, count) => {
      const dice = random(seed)
      const carrier = choppyPair(() => 1 + Math.floor(dice() * dice() * 70_000), 65_536)
      const { client, agent, close } = sessions(echo, carrier)
      const sizes = Array.from({ length: count }, () => Math.floor(dice() ** 4 * 1_500_000))
      const done = sizes.map(async (size, i) => {
        const stream = client.open(Buffer.of(i))
        const hash = hashOf(stream)
        await pour(stream, size, i)
        return (await hash) === expected(size, i)
      })
      const right = (await Promise.all(done)).every(Boolean)
      const free = client.stats.streams === 0 && client.stats.promisedBytes === 0
      await close()
      return right && free && agent.stats.promisedBytes === 0
    }),
    { numRuns: 25 }
  )
  t.pass()
})

/** The request of the stream that is opened after all others. */
const LAST = 20

test('random ends: whatever is destroyed, reset or ended when, no stream and no byte stays behind', async t => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async seed => {
      const dice = random(seed)
      const misbehave = (stream: MuxStream) => {
        stream.on('data', () => {
          const mood = dice()
          if (mood < 0.05) stream.destroy()
          else if (mood < 0.1) stream.reset('reset')
          else if (mood < 0.15) stream.end()
          else if (stream.writable) stream.write(Buffer.alloc(Math.floor(dice() * 50_000)))
        })
        stream.on('end', () => stream.end())
        if (dice() < 0.1) stream.destroy()
      }
      const { client, agent, close } = sessions(
        (stream, [which]) => (which === LAST ? echo(stream) : misbehave(stream)),
        choppyPair(() => 1 + Math.floor(dice() * 20_000))
      )
      const streams = Array.from({ length: LAST }, (_, i) => client.open(Buffer.of(i)))
      for (const stream of streams) {
        misbehave(stream)
        if (!stream.destroyed) stream.write(Buffer.alloc(1 + Math.floor(dice() * 1_000)))
        setTimeout(() => stream.destroy(), dice() * 40)
      }
      await Promise.all(streams.map(async stream => stream.closed || (await once(stream, 'close').catch(() => {}))))
      // Whatever was sent before it has been heard when it is answered; and the session lives.
      const last = client.open(Buffer.of(LAST))
      last.end('alive')
      const alive = String(await bytesOf(last)) === 'alive'
      const left = () =>
        client.stats.streams + agent.stats.streams + client.stats.promisedBytes + agent.stats.promisedBytes
      for (let i = 0; i < 1_000 && left() > 0; i++) await new Promise(resolve => setTimeout(resolve, 5))
      const free = left() === 0
      await close()
      return free && alive
    }),
    { numRuns: 25 }
  )
  t.pass()
})

test('2,000 streams at once', async t => {
  const { client, close } = sessions(echo)
  const streams = Array.from({ length: 2_000 }, () => client.open(Buffer.of(0)))
  const texts = await Promise.all(
    streams.map(async (stream, i) => {
      stream.end(`stream ${i}`)
      return String(await bytesOf(stream))
    })
  )
  t.true(texts.every((text, i) => text === `stream ${i}`))
  await close()
})

test('a carrier that breaks ends the session as lost, with its error, and every stream as closed', async t => {
  const [near, far] = plainPair()
  const { client, agent } = sessions(() => {}, [near, far])
  const stream = client.open(Buffer.of(1))
  const error = once(stream, 'error')
  near.destroy(new Error('cable cut'))
  const end = await client.closed
  t.is(end.code, 'lost')
  t.is(end.error?.message, 'cable cut')
  t.is(((await error)[0] as MuxResetError).resetCode, 'closed')
  const late = client.open(Buffer.of(2))
  t.true(late.destroyed)
  await agent.close()
})

test('a carrier that ends without GOAWAY is lost, with GOAWAY it is done', async t => {
  const [near, far] = plainPair()
  const client = new MuxSession(near, { role: 'client', onStream: echo })
  far.resume()
  far.end()
  t.is((await client.closed).code, 'lost')
  const pair = sessions(echo)
  await pair.client.close('replaced')
  t.is((await pair.agent.closed).code, 'replaced')
  t.is((await pair.client.closed).code, 'replaced')
})

test('rubbish from the carrier ends the session and nothing else', async t => {
  const [near, far] = plainPair()
  const client = new MuxSession(near, { role: 'client', onStream: echo })
  far.resume()
  far.on('error', () => {})
  far.write('HTTP/1.1 400 Bad Request\r\n\r\n')
  t.is((await client.closed).code, 'protocol')
})

test('closing resolves though the peer does not read', async t => {
  const [near] = plainPair()
  const client = new MuxSession(near, { role: 'client', onStream: echo })
  const stream = client.open(Buffer.of(1))
  stream.write(Buffer.alloc(100_000))
  await client.close()
  t.is((await client.closed).code, 'done')
})
