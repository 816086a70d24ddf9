// A command that stays, at a real terminal: colours and a spinner there and nowhere else; kt apply and kt birdseye.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { imageArguments, KT, kt } from '../_support/kt.ts'
import { laptop } from '../_support/laptop.ts'

const UP = [process.execPath, KT, 'up', '-n', 'demo', ...imageArguments(), '--', 'true'].join(' ')
const SPINNER = /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/
const [SHOW_CURSOR, HIDE_CURSOR] = ['\u001b[?25h', '\u001b[?25l']

async function atTerminal(env: Record<string, string> = {}): Promise<string> {
  const clean = { NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined, TERM: 'xterm' }
  const { code, stdout } = await laptop('script', ['-qec', UP, '/dev/null'], { env: { ...clean, ...env } })
  if (code !== 0) throw new Error(stdout)
  return stdout
}

test.before(async () => {
  await kt(['down'])
})

test.serial('at a terminal: colours, a spinner, and the cursor is back', async t => {
  const shown = await atTerminal()
  t.regex(shown, SPINNER)
  t.true(shown.includes('\u001b[32m✓\u001b[39m'), 'a green tick')
  t.true(shown.lastIndexOf(SHOW_CURSOR) > shown.lastIndexOf(HIDE_CURSOR))
  t.regex(shown, /All looks good, now you can access to resources in the kubernetes cluster/)
})

test.serial('NO_COLOR: no colours; CI or a dumb terminal: no spinner', async t => {
  t.false((await atTerminal({ NO_COLOR: '1' })).includes('\u001b[32m'))
  t.notRegex(await atTerminal({ CI: 'true', TERM: 'dumb' }), SPINNER)
})

test.serial('through a pipe: neither', async t => {
  const { stdout, stderr } = await kt(['up', '-n', 'demo', ...imageArguments(), '--', 'true'])
  t.is(stdout, '')
  t.false(stderr.includes('\u001b'))
  t.regex(stderr, /^✓ API server answers/m)
})

test.serial('kt apply: all of a .kt.yaml in the background, seen by kt birdseye, ended by kt down', async t => {
  const file = join(mkdtempSync(join(tmpdir(), 'kt-apply-')), '.kt.yaml')
  writeFileSync(
    file,
    `namespace: demo
exchange:
  - { target: node-echo, expose: '18099:8080', skipPortChecking: true }
preview:
  - { name: cli-next, expose: 18099, skipPortChecking: true }
`
  )
  const { code, stdout, stderr } = await kt(['apply', file, ...imageArguments(), '-D'])
  t.is(code, 0, stderr)
  t.regex(stdout, /Now all request to service 'node-echo' will be redirected to local/)
  t.regex(stdout, /Now you can access your local service in cluster by name 'cli-next'/)
  const seen = await kt(['birdseye', '-n', 'demo', '--hideNaturalService'])
  t.regex(seen.stdout, /^node-echo +exchanged +\S+@\S+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+ s ago$/m)
  t.regex(seen.stdout, /^cli-next +previewing +\S+@\S+ /m)
  t.regex((await kt(['logs', 'apply'])).stdout, /exchange node-echo: /)
  t.is((await kt(['down'])).code, 0)
  t.is((await kt(['birdseye', '-n', 'demo', '--hideNaturalService'])).stdout, 'no services\n')
})

test.serial('kt apply: one part that fails ends all of them', async t => {
  const file = join(mkdtempSync(join(tmpdir(), 'kt-apply-')), '.kt.yaml')
  const missing = '{ target: no-such-service, expose: 80, skipPortChecking: true }'
  writeFileSync(
    file,
    `namespace: demo\nexchange:\n  - ${missing}\npreview:\n  - { name: cli-next, expose: 18099, skipPortChecking: true }\n`
  )
  const { code, stderr } = await kt(['apply', file, ...imageArguments()])
  t.is(code, 4)
  t.regex(stderr, /^kt: exchange no-such-service: there is no service "no-such-service"/m)
  t.is((await kt(['birdseye', '-n', 'demo', '--hideNaturalService'])).stdout, 'no services\n')
})
