// kt config and ~/.kt/config, as they are typed.
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Ended, home, kt as run } from './_kt.ts'

function user(): { kt(...args: string[]): Promise<Ended>; file: string } {
  const directory = home()
  return { kt: (...args) => run(args, { env: { KT_HOME: directory } }), file: join(directory, 'config') }
}

test('set in both forms, get, show, unset', async t => {
  const { kt, file } = user()
  t.is((await kt('config', 'set', 'global.image', 'registry.example/node:22')).code, 0)
  t.is((await kt('config', 'set', 'connect.exclude-ips=10.0.0.0/8,10.1.2.3')).code, 0)
  t.is((await kt('config', 'set', 'connect.disablePodIp', 'true')).code, 0)
  t.is(statSync(file).mode & 0o777, 0o600)
  t.is(
    readFileSync(file, 'utf8'),
    "connect:\n  disable-pod-ip: 'true'\n  exclude-ips: 10.0.0.0/8,10.1.2.3\nglobal:\n  image: registry.example/node:22\n"
  )
  t.is((await kt('config', 'get', 'connect.excludeIps')).stdout, '10.0.0.0/8,10.1.2.3\n')
  t.deepEqual(JSON.parse((await kt('config', 'show', '--output', 'json')).stdout), {
    'connect.disable-pod-ip': 'true',
    'connect.exclude-ips': '10.0.0.0/8,10.1.2.3',
    'global.image': 'registry.example/node:22'
  })
  t.regex((await kt('config', 'show', '--all')).stdout, /^mesh\.version-mark =$/m)
  await kt('config', 'unset', 'global.image')
  t.deepEqual(await kt('config', 'get', 'global.image'), { code: 1, stdout: '', stderr: '' })
  await kt('config', 'unset', '-a')
  t.is((await kt('config', 'show')).stdout, 'nothing is set\n')
})

test('what is wrong is refused, with what there is', async t => {
  const { kt } = user()
  const unknown = await kt('config', 'set', 'connect.nonsense', '1')
  t.is(unknown.code, 2)
  t.regex(unknown.stderr, /there is no key "connect\.nonsense".*\n {4}keys there: .*connect\.exclude-ips/)
  t.regex((await kt('config', 'get', 'nonsense.x')).stderr, /sections are: global, connect, /)
  t.is((await kt('config', 'set', 'global.image')).code, 2)
  const value = await kt('config', 'set', 'clean.threshold-in-minus', 'soon')
  t.is(value.code, 2)
  t.regex(value.stderr, /a number of minutes is expected/)
  t.is((await kt('config', 'set', 'connect.disable-pod-ip', 'perhaps')).code, 2)
})

test('profiles', async t => {
  const { kt } = user()
  await kt('config', 'set', 'global.namespace', 'work')
  t.is((await kt('config', 'save-profile', 'work')).stdout, 'profile work is kept\n')
  await kt('config', 'set', 'global.namespace', 'home')
  t.is((await kt('config', 'load-profile', 'work', '--dryRun')).stdout, 'global:\n  namespace: work\n')
  t.is((await kt('config', 'get', 'global.namespace')).stdout, 'home\n')
  await kt('config', 'load-profile', 'work')
  t.is((await kt('config', 'get', 'global.namespace')).stdout, 'work\n')
  t.is((await kt('config', 'list-profile')).stdout, 'work\n')
  await kt('config', 'drop-profile', 'work')
  t.is((await kt('config', 'list-profile')).stdout, '')
  t.is((await kt('config', 'load-profile', 'work')).code, 2)
  t.is((await kt('config', 'save-profile', '../escape')).code, 2)
})

test('the file of kt-connect is read; what is typed wins; what is obsolete is said', async t => {
  const { kt, file } = user()
  writeFileSync(
    file,
    'global:\n  kubeconfig: /nonexistent/configured\n  use-local-time: true\nconnect:\n  dns-mode: nonsense\n'
  )
  const configured = await kt('birdseye')
  t.regex(
    configured.stderr,
    /^! --useLocalTime has no effect.*\nkt: there is no kubeconfig file \/nonexistent\/configured\n/
  )
  t.regex((await kt('birdseye', '-c', '/nonexistent/typed')).stderr, /there is no kubeconfig file \/nonexistent\/typed/)
  t.regex((await kt('up')).stderr, /--dnsMode nonsense: unknown mode/)
  t.regex((await kt('up', '--dnsMode', 'other')).stderr, /--dnsMode other: unknown mode/)
})

test('a file that is none is named', async t => {
  const { kt, file } = user()
  writeFileSync(file, '- a\n- b\n')
  const { code, stderr } = await kt('status')
  t.is(code, 2)
  t.true(stderr.startsWith(`kt: cannot read ${file}: `), stderr)
  writeFileSync(file, 'clean:\n  threshold-in-minus: soon\n')
  t.regex(
    (await kt('clean')).stderr,
    /clean\.threshold-in-minus is "soon".*\n {4}kt config unset clean\.threshold-in-minus/
  )
})
