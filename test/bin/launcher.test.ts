// `bin/kt` in a checkout, started by whatever Node the machine has.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
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
