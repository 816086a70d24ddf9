// Colours, quiet, forms of output, exit codes and suggestions, as they are typed.
import test from 'ava'
import { kt, ktAtTerminal } from './_kt.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what a colour is
const COLOUR = /\u001b\[\d+m/

test('at a terminal errors are coloured, through a pipe they are not', async t => {
  const terminal = await ktAtTerminal(['birdseye'])
  t.is(terminal.code, 4)
  t.regex(terminal.stdout, COLOUR)
  const pipe = await kt(['birdseye'])
  t.is(pipe.code, 4)
  t.notRegex(pipe.stderr, COLOUR)
  t.regex(
    pipe.stderr,
    /^kt: no file of KUBECONFIG=\/nonexistent\/kubeconfig exists\n {4}set KUBECONFIG, or give --kubeconfig FILE\n$/
  )
})

test('NO_COLOR takes them away, FORCE_COLOR gives them, a dumb terminal has none', async t => {
  t.notRegex((await ktAtTerminal(['birdseye'], { env: { NO_COLOR: '1' } })).stdout, COLOUR)
  t.regex((await ktAtTerminal(['birdseye'], { env: { NO_COLOR: '' } })).stdout, COLOUR, 'an empty one means nothing')
  t.regex((await kt(['birdseye'], { env: { FORCE_COLOR: '1' } })).stderr, COLOUR)
  t.notRegex((await kt(['birdseye'], { env: { FORCE_COLOR: '0' } })).stderr, COLOUR)
  t.notRegex((await kt(['birdseye'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).stderr, COLOUR)
  t.notRegex((await ktAtTerminal(['birdseye'], { env: { TERM: 'dumb' } })).stdout, COLOUR)
})

test('--output: an error is one JSON object, or YAML', async t => {
  const json = await kt(['birdseye', '--output', 'json'])
  t.is(json.code, 4)
  t.is(json.stderr, '')
  t.like(JSON.parse(json.stdout), { event: 'error', code: 'KT_KUBECONFIG' })
  const yaml = await kt(['birdseye', '--output', 'yaml'])
  t.regex(yaml.stdout, /^---\nevent: error\ncode: KT_KUBECONFIG\n/)
  t.is((await kt(['status', '--output', 'xml'])).code, 2)
})

test('exit codes by class', async t => {
  const codes: [number, string[]][] = [
    [0, ['--version']],
    [0, ['help']],
    [0, ['down']],
    [1, ['status']],
    [1, ['config', 'get', 'global.image']],
    [2, []],
    [2, ['nonsense']],
    [2, ['up', '--nonsense']],
    [2, ['preview', 'Not_A_Name', '--expose', '80']],
    [2, ['exchange', 'web', '--', 'ls']],
    [2, ['up', 'words']],
    [3, ['dns', 'nginx']],
    [3, ['capture', '-w', '-']],
    [3, ['logs']],
    [4, ['forward', 'web']],
    [4, ['up', '--context', 'x', '--socks']]
  ]
  for (const [code, args] of codes) t.is((await kt(args)).code, code, args.join(' '))
})

test('did you mean', async t => {
  t.regex((await kt(['exchagne', 'web'])).stderr, /^kt: unknown command 'exchagne'\n\(Did you mean exchange\?\)/)
  t.regex((await kt(['up', '--excludeIp', '10.0.0.0/8'])).stderr, /Did you mean --excludeIps\?/)
  t.regex((await kt(['config', 'shwo'])).stderr, /Did you mean show\?/)
})

test('--flag=true and --flag=false, anywhere, for flags without a value', async t => {
  t.regex((await kt(['status', '--debug=false'])).stdout, /^kt is not running here/)
  t.regex((await kt(['--debug=true', 'status'])).stdout, /^kt is not running here/)
  t.regex((await kt(['-n', 'shop', 'status', '--quiet=false'])).stdout, /^kt is not running here/)
})

test('what is obsolete is taken with one line', async t => {
  const { stderr, code } = await kt(['connect', '--mode', 'sshuttle', '--socks', '--context', 'x'])
  t.is(code, 4)
  t.deepEqual(
    stderr.split('\n').filter(line => line.startsWith('! ')),
    ['! --mode has no effect: there is one way, a network device with a stack of its own; sshuttle is not needed']
  )
  const old = await kt(['provide', 'x', '--expose', '80', '--skipPortChecking'])
  t.regex(old.stderr, /^! kt provide is called kt preview now\nkt: no file of KUBECONFIG/)
})
