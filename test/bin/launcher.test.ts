// `bin/kt` in a checkout, started by whatever Node the machine has.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'

const exec = promisify(execFile)
const kt = join(import.meta.dirname, '../../bin/kt')
const SYSTEM_NODES = ['/usr/bin/node', '/usr/local/bin/node']

for (const node of [process.execPath, ...SYSTEM_NODES.filter(path => existsSync(path))]) {
  test(`${node === process.execPath ? "the project's Node" : node} starts it`, async t => {
    const { stdout } = await exec(node, [kt, '--version'])
    t.regex(stdout, /^kt version \d/)
  })
}

test('the exit code and the one line of an error come through', async t => {
  const error = await t.throwsAsync<Error & { code: number; stderr: string }>(exec(kt, ['upp'], { env: process.env }))
  t.is(error.code, 2)
  t.regex(error.stderr, /^kt: unknown command 'upp'\n\(Did you mean up\?\)/)
})

/** What lives for a moment and is many: V8 makes its young generation as large as it likes to. */
const MANY = `process.on('exit', () => {
  const kept = []
  for (let i = 0; i < 1e6; i++) kept[i % 100_000] = { i, a: [i] }
  const { space_size } = require('node:v8').getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  process.stdout.write(\`new space \${space_size}\\n\`)
})`

test('memory for what lives for a moment does not grow with the load', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-memory-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'many.cjs'), MANY)
  const { stdout } = await exec(process.execPath, ['--require', join(folder, 'many.cjs'), `${kt}.ts`, '--version'])
  const bytes = Number(/new space (\d+)/.exec(stdout)?.[1])
  t.true(bytes <= 32 * 2 ** 20, `${bytes}`) // 128 MiB without a bound
})
