// kt's own key for OpenSSH, and the host keys that OpenSSH finds.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { sshKeyPair } from '../../lib/ssh/key-pair.ts'
import { makeKnown, ownPublicKey, sshFiles } from '../../lib/ssh/own-files.ts'
import { withOpenSsh } from './_openssh.ts'

const home = mkdtempSync(join(tmpdir(), 'kt-ssh-files-'))
process.env.KT_HOME = home
test.after.always(() => rmSync(home, { recursive: true }))

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

withOpenSsh('one key, made once, that only its owner may read; ssh-keygen agrees about its public half', async t => {
  const keys = new Set(await Promise.all([ownPublicKey(), ownPublicKey(), ownPublicKey()]))
  t.is(keys.size, 1)
  const { identity } = sshFiles()
  t.is(modeOf(identity), '600')
  t.is(modeOf(join(home, 'ssh')), '700')
  const said = execFileSync('ssh-keygen', ['-y', '-f', identity], { encoding: 'utf8' })
  t.true(said.startsWith([...keys][0]!))
})

test.serial('a key that cannot be read is named', async t => {
  await ownPublicKey()
  const { identity } = sshFiles()
  const before = readFileSync(identity)
  writeFileSync(identity, 'no key')
  await t.throwsAsync(ownPublicKey(), { message: new RegExp(`^cannot use ${identity}: `) })
  writeFileSync(identity, before)
})

withOpenSsh('host keys are known while their process lives, several under one name, and then forgotten', async t => {
  const { knownHosts } = sshFiles()
  const host = (): string => sshKeyPair().public
  writeFileSync(knownHosts, `kt ${host()} kt 999999999 1@x\nkt ${host()}\n`)
  const [one, two] = [host(), host()]
  const forget = await Promise.all([makeKnown('kt', one), makeKnown('kt', two), makeKnown('other', one)])
  const found = execFileSync('ssh-keygen', ['-F', 'kt', '-f', knownHosts], { encoding: 'utf8' })
  const lines = found.split('\n').filter(line => line.startsWith('kt '))
  t.deepEqual(lines.map(line => line.split(' ').slice(1, 3).join(' ')).sort(), [one, two].sort())
  t.is(modeOf(knownHosts), '600')
  for (const each of forget) await each()
  t.is(readFileSync(knownHosts, 'utf8'), '')
})
