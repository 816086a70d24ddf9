import test from 'ava'
import { describe, jsonReport } from '../../lib/session/report.ts'

test("the banner is kt-connect's, so that scripts which wait for it go on working", t => {
  const lines = describe({ event: 'ready', ms: 1234, try: ['curl http://nginx'] }).split('\n')
  t.deepEqual(lines.slice(0, 2), ['Ready after 1.2 s. Try:', '  curl http://nginx'])
  t.is(lines.at(-2), ' All looks good, now you can access to resources in the kubernetes cluster')
})

test('an error is one line, and one for the hint', t => {
  t.is(describe({ event: 'error', code: 'KT_USAGE', message: 'no', hint: 'yes' }), 'kt: no\n    yes')
  t.is(describe({ event: 'error', code: 'KT_USAGE', message: 'no', hint: '' }), 'kt: no')
})

test('json is one object a line', t => {
  const written: string[] = []
  jsonReport({ write: (text: string) => written.push(text) } as unknown as NodeJS.WritableStream)({ event: 'stopped' })
  t.deepEqual(written, ['{"event":"stopped"}\n'])
})
