import test from 'ava'
import { EventLog } from '../../lib/session/event-log.ts'
import type { SessionEvent } from '../../lib/session/report.ts'

test('what is said is passed on and remembered as text, the last 500 lines', t => {
  const log = new EventLog()
  const said: SessionEvent[] = []
  const report = log.tap(event => said.push(event))
  for (let i = 0; i < 510; i++) report({ event: 'note', text: `n${i}` })
  t.is(said.length, 510)
  t.is(log.lines.length, 500)
  t.like(log.lines[0], { event: 'note', text: '  n10' })
  t.true(log.lines[0]!.at > 1.6e12)
})
