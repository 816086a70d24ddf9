import test from 'ava'
import { type Answer, decode, encode } from 'dns-packet'
import { AnswerCache, ttlOf } from '../../lib/dns/cache.ts'

const NAME = 'x.cluster.local'
const soa = (ttl: number, minimum: number): Answer => ({
  type: 'SOA',
  name: 'cluster.local',
  ttl,
  data: { mname: 'a', rname: 'b', minimum }
})
const answerOf = (ttl: number): Uint8Array =>
  encode({
    type: 'response',
    questions: [{ name: NAME, type: 'A' }],
    answers: [{ type: 'A', name: NAME, ttl, data: '10.1.1.1' }]
  })
const negative = (rcode: number, authorities: Answer[]): Uint8Array =>
  encode({ type: 'response', flags: rcode, questions: [{ name: NAME, type: 'A' }], authorities })

/** A cache with a clock that is moved by hand, and a count of what was asked. */
function virtual(answer: () => Uint8Array | Error) {
  const state = { now: 0, asked: 0 }
  const cache = new AnswerCache({ now: () => state.now })
  const get = (key = 'q') =>
    cache.get(key, () => {
      state.asked++
      const result = answer()
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result)
    })
  return { state, get }
}

test('an answer is kept for its TTL, and grows old', async t => {
  const { state, get } = virtual(() => answerOf(10))
  t.is((await get()).ageMs, undefined)
  state.now = 7400
  const { answer, ageMs } = await get()
  t.is(ageMs, 7400)
  const [record] = decode(Buffer.from(answer)).answers ?? []
  t.like(record, { ttl: 3 })
  state.now = 10_000
  t.is((await get()).ageMs, undefined)
  t.is(state.asked, 2)
})

test('the shortest TTL of the answers counts, and none is longer than 30 s', t => {
  t.is(ttlOf(answerOf(86_400), 30), 30)
  t.is(ttlOf(answerOf(0), 30), 0)
  const two = [3, 20].map((ttl): Answer => ({ type: 'A', name: NAME, ttl, data: '10.1.1.1' }))
  t.is(ttlOf(encode({ type: 'response', answers: two }), 30), 3)
})

test('negative answers: the SOA decides, without one they are not kept', t => {
  t.is(ttlOf(negative(3, [soa(20, 7)]), 30), 7)
  t.is(ttlOf(negative(3, [soa(4, 7)]), 30), 4)
  t.is(ttlOf(negative(0, [soa(20, 7)]), 30), 7)
  t.is(ttlOf(negative(3, []), 30), 0)
})

test('broken and truncated answers are not kept', t => {
  t.is(ttlOf(answerOf(10).subarray(0, 20), 30), 0)
  const truncated = Buffer.from(answerOf(10))
  truncated.writeUInt16BE(0x8200, 2)
  t.is(ttlOf(truncated, 30), 0)
})

test('a failure is kept for a second', async t => {
  const { state, get } = virtual(() => new Error('unreachable'))
  await t.throwsAsync(() => get(), { message: 'unreachable' })
  state.now = 900
  await t.throwsAsync(() => get(), { message: 'unreachable' })
  t.is(state.asked, 1)
  state.now = 1100
  await t.throwsAsync(() => get())
  t.is(state.asked, 2)
})

test('the same question is under way once; everybody gets bytes of his own', async t => {
  const { state, get } = virtual(() => answerOf(10))
  const all = await Promise.all(Array.from({ length: 200 }, () => get()))
  t.is(state.asked, 1)
  t.is(new Set(all.map(({ answer }) => answer)).size, 200)
  all[0]!.answer.fill(0)
  t.not((await get()).answer[2], 0)
})

test('other questions are other entries, and the oldest go', async t => {
  const { state, get } = virtual(() => answerOf(30))
  for (let i = 0; i < 4097; i++) await get(`q${i}`)
  t.is(state.asked, 4097)
  t.not((await get('q4096')).ageMs, undefined)
  t.not((await get('q1')).ageMs, undefined)
  t.is((await get('q0')).ageMs, undefined)
})

test('too many questions under way fail at once', async t => {
  const cache = new AnswerCache()
  const hang = () => new Promise<never>(() => {})
  for (let i = 0; i < 512; i++) void cache.get(`q${i}`, hang)
  await t.throwsAsync(() => cache.get('one more', hang))
})
