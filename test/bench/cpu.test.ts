import test from 'ava'
import { untilRest } from '../../bench/harness/cpu.ts'

/** A clock that counts so much each time it is asked, then nothing. */
function clock(...seconds: number[]) {
  let looks = 0
  const start = () => () => ({ client: 0, agent: seconds[looks++] ?? 0 })
  return { start, looks: () => looks }
}

test('rest is waited for as long as something is done', async t => {
  const { start, looks } = clock(0.4, 0.2, 0.01, 0.4)
  await untilRest(start, 60_000)
  t.is(looks(), 3)
})

test('what never rests is not waited for without end', async t => {
  const { start, looks } = clock(...Array.from({ length: 100 }, () => 1))
  await untilRest(start, 300)
  t.true(looks() >= 1 && looks() <= 2, String(looks()))
})
