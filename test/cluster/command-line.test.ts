import test from 'ava'
import { CommanderError } from 'commander'
import { commandLine } from './command-line.ts'

/** What a command line would do: the action with its arguments, or the error. */
async function parse(...words: string[]): Promise<unknown[]> {
  const calls: unknown[] = []
  const action =
    (name: string) =>
    async (...args: unknown[]): Promise<void> => {
      calls.push(name, ...args)
    }
  const names = ['build', 'up', 'down', 'status', 'kubectl', 'laptop', 'env'] as const
  const actions = Object.fromEntries(names.map(name => [name, action(name)])) as unknown as Parameters<
    typeof commandLine
  >[0]
  const program = commandLine(actions)
  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} })
  await program.parseAsync(words, { from: 'user' })
  return calls
}

const DEFAULTS = { id: 0, nodes: 2, proxy: 'nftables', dualStack: false, demo: true }

test('up: defaults and options', async t => {
  t.deepEqual(await parse('up'), ['up', DEFAULTS])
  const all = ['up', '--id', '4', '--nodes', '1', '--proxy', 'iptables', '--dual-stack', '--no-demo']
  t.deepEqual(await parse(...all), ['up', { id: 4, nodes: 1, proxy: 'iptables', dualStack: true, demo: false }])
})

for (const words of [
  ['up', '--id', '11'],
  ['up', '--id', ''],
  ['up', '--id', '-1'],
  ['up', '--nodes', '3'],
  ['up', '--proxy', 'ipvs'],
  ['sideways']
]) {
  test(`refused: ${words.join(' ')}`, async t => {
    await t.throwsAsync(parse(...words), { instanceOf: CommanderError })
  })
}

test('kubectl gets its words untouched, options included', async t => {
  t.deepEqual(await parse('kubectl', 'get', 'pods', '-n', 'demo', '--id', '3', '--help'), [
    'kubectl',
    0,
    ['get', 'pods', '-n', 'demo', '--id', '3', '--help']
  ])
  t.deepEqual(await parse('kubectl', '--id', '3', '-n', 'demo', 'get', 'pods'), [
    'kubectl',
    3,
    ['-n', 'demo', 'get', 'pods']
  ])
})

test('laptop gets its command untouched', async t => {
  const options = { resolved: false }
  t.deepEqual(await parse('laptop', '--id', '8', 'bin/kt', 'up', '--id', '1'), [
    'laptop',
    8,
    ['bin/kt', 'up', '--id', '1'],
    options
  ])
  t.deepEqual(await parse('laptop', '--resolved', 'ls', '-l'), ['laptop', 0, ['ls', '-l'], { resolved: true }])
})

test('the others take the number of the cluster', async t => {
  for (const name of ['down', 'status', 'env']) {
    t.deepEqual(await parse(name), [name, 0])
    t.deepEqual(await parse(name, '--id', '10'), [name, 10])
  }
})
