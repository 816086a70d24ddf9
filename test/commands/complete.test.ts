// What completion offers where no cluster is needed; test/e2e/cli has the shells and live names.
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { candidates } from '../../lib/commands/complete.ts'
import { buildProgram } from '../../lib/commands/main.ts'

const KUBECONFIG = join(tmpdir(), `kt-complete-${process.pid}`)

test.before(() => {
  writeFileSync(KUBECONFIG, 'contexts: [{ name: dev, context: {} }, { name: prod, context: {} }]')
})

async function offered(...words: string[]): Promise<string[]> {
  return (
    await candidates(
      buildProgram(() => {}),
      words
    )
  ).map(([value]) => value)
}

test('commands, and those below a command; hidden ones are not offered', async t => {
  t.deepEqual(await offered('exch'), ['exchange'])
  t.deepEqual(await offered('-n', 'x', 'birds'), ['birdseye'])
  t.deepEqual(await offered('config', 'save'), ['save-profile'])
  t.deepEqual(await offered('prov'), [])
  t.deepEqual(await offered('__'), [])
})

test('flags of the command and of all commands, without what is obsolete', async t => {
  t.deepEqual(await offered('up', '--excl'), ['--excludeIps'])
  t.deepEqual(await offered('clean', '--kubec'), ['--kubeconfig'])
  t.deepEqual(await offered('up', '--cidr'), [])
})

test('values of flags, in every way to write them', async t => {
  t.deepEqual(await offered('status', '--output', ''), ['text', 'json', 'yaml'])
  t.deepEqual(await offered('status', '--output=y'), ['--output=yaml'])
  t.deepEqual(await offered('status', '--output', '=', 'y'), ['yaml'], 'as bash cuts it')
  t.deepEqual(await offered('status', '--output', '='), ['text', 'json', 'yaml'])
  t.deepEqual(await offered('-c', KUBECONFIG, 'up', '--context', 'p'), ['prod'])
  t.deepEqual(await offered('up', '-c', ''), [':file'])
})

test('operands that need no cluster', async t => {
  t.deepEqual(await offered('completion', ''), ['bash', 'zsh', 'fish', 'powershell'])
  t.deepEqual(await offered('config', 'get', 'mesh.version'), ['mesh.version-mark'])
  t.deepEqual(await offered('apply', 'x'), [':file'])
  t.deepEqual(await offered('completion', 'bash', ''), [])
  t.deepEqual(await offered('preview', ''), [])
})
