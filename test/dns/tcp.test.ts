import { duplexPair } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import { FrameReader, frame, serveTcp } from '../../lib/dns/tcp.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

test('property: frames come out as they went in, for any chunking', t => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 600 })),
      fc.array(fc.nat({ max: 300 }), { minLength: 1 }),
      (messages, sizes) => {
        const all = Buffer.concat(messages.map(frame))
        const reader = new FrameReader()
        const got: Uint8Array[] = []
        for (let at = 0, i = 0; at < all.length; i++) {
          const size = 1 + (sizes[i % sizes.length] ?? 0)
          got.push(...reader.push(all.subarray(at, at + size)))
          at += size
        }
        return got.length === messages.length && got.every((each, i) => Buffer.compare(each, messages[i]!) === 0)
      }
    )
  )
  t.pass()
})

/** The peer's end of a served connection, and the messages that come out of it. */
function served(answer: (message: Uint8Array) => Promise<Uint8Array | undefined>) {
  const [ours, theirs] = duplexPair()
  serveTcp(ours, { answer })
  const reader = new FrameReader()
  const got: string[] = []
  theirs.on('data', (chunk: Uint8Array) => got.push(...reader.push(chunk).map(each => Buffer.from(each).toString())))
  const closed = new Promise<void>(resolve => theirs.on('end', resolve))
  return { ours, theirs, got, closed }
}

test('several questions on one connection, answered as they are ready, also after a half-close', async t => {
  const { theirs, got, closed } = served(async message => {
    const text = Buffer.from(message).toString()
    await sleep(text === 'slow' ? 60 : 5)
    return bytes(`${text}!`)
  })
  theirs.write(Buffer.concat([frame(bytes('slow')), frame(bytes('quick'))]))
  theirs.end()
  await closed
  t.deepEqual(got, ['quick!', 'slow!'])
})

test('what is not answered leaves the connection open', async t => {
  const { theirs, got, closed } = served(async message => (message.length === 1 ? undefined : message))
  theirs.write(frame(bytes('x')))
  theirs.write(frame(bytes('again')))
  theirs.end()
  await closed
  t.deepEqual(got, ['again'])
})

test('at most 64 questions of a connection are under way', async t => {
  let most = 0
  let under = 0
  let answered = 0
  const { theirs, closed } = served(async message => {
    most = Math.max(most, ++under)
    await sleep(5)
    under--
    answered++
    return message
  })
  for (let i = 0; i < 500; i++) theirs.write(frame(bytes('question')))
  theirs.end()
  await closed
  t.is(answered, 500)
  t.true(most <= 64, `${most}`)
})

test('a broken connection and an answer too late do no harm', async t => {
  const { ours, theirs } = served(async message => {
    await sleep(20)
    return message
  })
  theirs.write(frame(bytes('question')))
  await sleep(5)
  ours.destroy(new Error('reset'))
  await sleep(40)
  t.true(ours.destroyed)
})
