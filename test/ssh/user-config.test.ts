// What the user's ssh configuration says about a jump host.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parseVia, userConfig } from '../../lib/ssh/user-config.ts'
import { withOpenSsh } from './_openssh.ts'

const home = mkdtempSync(join(tmpdir(), 'kt-ssh-config-'))
process.env.SSH_AUTH_SOCK = '/run/agent'
delete process.env.SUDO_USER
delete process.env.SUDO_UID
mkdirSync(join(home, '.ssh'))
test.after.always(() => rmSync(home, { recursive: true }))

const configured = (...lines: string[]): void => writeFileSync(join(home, '.ssh/config'), `${lines.join('\n')}\n`)

test('a jump host as it can be typed', t => {
  t.deepEqual(parseVia('ssh://me@bastion:2222'), { host: 'bastion', port: 2222, user: 'me' })
  t.deepEqual(parseVia('me@bastion'), { host: 'bastion', port: undefined, user: 'me' })
  t.deepEqual(parseVia('work_1'), { host: 'work_1', port: undefined, user: undefined })
  t.deepEqual(parseVia('ssh://[2001:db8::1]:22/'), { host: '2001:db8::1', port: 22, user: undefined })
  for (const wrong of [
    '',
    'http://a',
    'ssh://',
    'ssh://a/b',
    'ssh://me:secret@a',
    '-oProxyCommand=x',
    'a b',
    'ssh://a:99999'
  ])
    t.throws(() => parseVia(wrong), { code: 'KT_USAGE' }, wrong)
})

test.serial('without a configuration: the defaults of ssh, below the own home', async t => {
  configured()
  const config = await userConfig(parseVia('bastion.example'), home)
  t.like(config, {
    host: 'bastion.example',
    port: 22,
    user: userInfo().username,
    alias: undefined,
    agent: '/run/agent'
  })
  t.false(config.identitiesOnly)
  t.true(config.identityFiles.includes(join(home, '.ssh/id_ed25519')))
  t.is(config.knownHostsFiles[0], join(home, '.ssh/known_hosts'))
})

withOpenSsh('with one: what is typed comes first', async t => {
  configured(
    'Host work',
    '  HostName 10.1.2.3',
    '  Port 2022',
    '  User jumper',
    '  HostKeyAlias bastion',
    '  IdentityFile ~/keys/%r-%h',
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    `  UserKnownHostsFile ${home}/known`
  )
  t.like(await userConfig(parseVia('work'), home), {
    host: '10.1.2.3',
    port: 2022,
    user: 'jumper',
    alias: 'bastion',
    identityFiles: [join(home, 'keys/jumper-10.1.2.3')],
    identitiesOnly: true,
    agent: undefined
  })
  t.is((await userConfig(parseVia('work'), home)).knownHostsFiles[0], join(home, 'known'))
  t.like(await userConfig(parseVia('ssh://me@work:22'), home), { host: '10.1.2.3', port: 22, user: 'me' })
})

withOpenSsh('a host behind another one is refused, with both names', async t => {
  configured('Host far', '  ProxyJump near')
  await t.throwsAsync(userConfig(parseVia('far'), home), { code: 'KT_JUMP_HOST', message: /reaches far by .*: near$/ })
  configured('Nonsense')
  await t.throwsAsync(userConfig(parseVia('far'), home), {
    code: 'KT_JUMP_HOST',
    message: /Nonsense|Bad configuration/i
  })
})
