import test from 'ava'
import { describe, jsonReport } from '../../lib/session/report.ts'

test("the banner is kt-connect's, so that scripts which wait for it go on working", t => {
  const lines = describe({ event: 'ready', ms: 1234, try: ['curl http://nginx'] }).split('\n')
  t.deepEqual(lines.slice(0, 2), ['Ready after 1.2 s. Try:', '  curl http://nginx'])
  t.is(lines.at(-2), ' All looks good, now you can access to resources in the kubernetes cluster')
})

test('other commands have banners of their own', t => {
  const lines = describe({
    event: 'ready',
    ms: 5,
    try: [],
    banner: "Now all request to service 'x' will be redirected to local"
  })
  t.deepEqual(lines.split('\n').slice(0, 3), [
    'Ready after 5 ms.',
    '-'.repeat(60),
    " Now all request to service 'x' will be redirected to local"
  ])
})

test('a call says who came, and who answered', t => {
  const call = { event: 'call', network: 'tcp', port: 80, source: '10.1.1.1:9', verdict: 'refused', to: '' } as const
  t.is(describe(call), '  10.1.1.1:9 → 80/tcp → nobody: refused')
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
