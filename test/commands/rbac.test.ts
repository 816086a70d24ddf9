// kt rbac: what it prints for people is what it prints for programs, and kubectl reads both.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { loadAll } from 'js-yaml'

const KT = join(import.meta.dirname, '../../bin/kt.ts')

async function rbac(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [KT, 'rbac', '-n', 'shop', ...args])
  return stdout
}

test('text is YAML with the same objects as JSON: Role, binding, and with --cluster what is cluster-wide', async t => {
  const flags = ['--user', 'system:serviceaccount:shop:dev', '--cluster']
  const [text, json] = await Promise.all([rbac(...flags), rbac(...flags, '--output', 'json')])
  const { items } = JSON.parse(json) as { items: { kind: string; metadata: object }[] }
  t.deepEqual(loadAll(text), items)
  t.deepEqual(
    items.map(({ kind }) => kind),
    ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']
  )
  t.deepEqual(items[0]?.metadata, { name: 'kt', namespace: 'shop' })
})

test('one command has a Role of its own; a command without rights is refused', async t => {
  const text = await rbac('exchange')
  t.regex(text, /^# what kt exchange needs in namespace shop\n/)
  t.regex(text, /name: "kt-exchange"/)
  t.regex(text, / # deployment\/NAME$/m)
  const { stderr } = await t.throwsAsync<Error & { stderr: string }>(rbac('status'))
  t.regex(stderr, /one of up, exchange, .* is expected/)
})
