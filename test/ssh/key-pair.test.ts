// Keys for OpenSSH: read by ssh2, which makes some that it cannot read itself, and by OpenSSH.
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import ssh2, { type ParsedKey } from 'ssh2'
import { sshKeyPair } from '../../lib/ssh/key-pair.ts'
import { withOpenSsh } from './_openssh.ts'

/** One of 256 begins with a zero. */
const MANY = 1_000

test('each can be read, and signs', t => {
  for (let i = 0; i < MANY; i++) {
    const pair = sshKeyPair()
    const [secret, known] = [ssh2.utils.parseKey(pair.private), ssh2.utils.parseKey(pair.public)]
    if (secret instanceof Error || known instanceof Error) return t.fail(`${secret} ${known}`)
    const signature = (secret as ParsedKey).sign('text') as Buffer
    if (!known.verify('text', signature)) return t.fail(pair.public)
  }
  return t.pass()
})

test('no key object is exported: garbage that is collected meanwhile stops Node 20 for ever, one time of some ten thousand', t => {
  for (const key of Object.values(generateKeyPairSync('ed25519'))) {
    const kind = Object.getPrototypeOf(key) as KeyObject
    const own = kind.export
    t.teardown(() => Object.assign(kind, { export: own }))
    Object.assign(kind, { export: () => t.fail() })
  }
  t.regex(sshKeyPair().public, /^ssh-ed25519 /)
})

withOpenSsh('ssh-keygen finds the public half in the private one', t => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-key-pair-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (let i = 0; i < 8; i++) {
    const pair = sshKeyPair()
    writeFileSync(join(folder, `key${i}`), pair.private, { mode: 0o600 })
    t.is(execFileSync('ssh-keygen', ['-y', '-f', join(folder, `key${i}`)], { encoding: 'utf8' }).trim(), pair.public)
  }
})
