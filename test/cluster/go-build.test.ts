import test from 'ava'
import { remaining } from './go-build.ts'

test('the remaining time: nothing at first, then minutes, then seconds, then the linking', t => {
  t.is(remaining(3, 2000, 60), '')
  t.is(remaining(500, 2000, 2), '')
  t.is(remaining(1000, 2000, 300), ', about 6 min left')
  t.is(remaining(1950, 2000, 390), ', about 40 s left')
  t.is(remaining(2000, 2000, 400), ', linking')
})
