// known_hosts: compared with what ssh-keygen finds in the same file.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { sshKeyPair } from '../../lib/ssh/key-pair.ts'
import { knownKeys, knownName, typeOfKey } from '../../lib/ssh/known-hosts.ts'
import { withOpenSsh } from './_openssh.ts'

const folder = mkdtempSync(join(tmpdir(), 'kt-known-hosts-'))
test.after.always(() => rmSync(folder, { recursive: true }))

const key = (): string => sshKeyPair().public
const keysOf = (text: string, name: string): string[] =>
  knownKeys(text, name).map(({ type, blob }) => `${type} ${blob.toString('base64')}`)

function foundBySsh(file: string, name: string): string[] {
  try {
    const said = execFileSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8' })
    return said.split('\n').flatMap(line => /(ssh-\S+ \S+)/.exec(line)?.[1] ?? [])
  } catch {
    return [] // exit code 1: nothing found
  }
}

const NAMES = ['a.example', 'b.example', 'x.b.example', '[a.example]:2222', '10.1.2.3', '2001:db8::1', 'abc']

withOpenSsh('plain, hashed, with ports and patterns: the keys that ssh-keygen finds', t => {
  const lines = [
    `a.example,10.1.2.3 ${key()} somebody's`,
    `[a.example]:2222 ${key()}`,
    `*.example,!b.example ${key()}`,
    `2001:db8::1 ${key()}`,
    `a?c ${key()}`,
    '# a.example ssh-ed25519 AAAA',
    ''
  ]
  for (const hashed of [false, true]) {
    const file = join(folder, `known_hosts-${hashed}`)
    writeFileSync(file, `${lines.join('\n')}\n`)
    if (hashed) execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' })
    const text = readFileSync(file, 'utf8')
    for (const name of NAMES) {
      const [host = '', port = '22'] = name.replace(/^\[(.*)\]:/, '$1 ').split(' ')
      t.deepEqual(keysOf(text, knownName(host, Number(port))), foundBySsh(file, name), `${name}, hashed: ${hashed}`)
    }
  }
})

test('a line without a key is none', t => {
  t.deepEqual(knownKeys('a.example ssh-ed25519\na.example\n', 'a.example'), [])
})

test('a revoked key is told as one; a certificate authority is none', t => {
  const [bad, authority] = [key(), key()]
  const found = knownKeys(`@revoked * ${bad}\n@cert-authority * ${authority}\n`, 'a')
  t.deepEqual(
    found.map(({ revoked, blob, type }) => `${revoked} ${type} ${blob.toString('base64')}`),
    [`true ${bad}`]
  )
  t.is(typeOfKey(found[0]!.blob), 'ssh-ed25519')
})

test('whatever the file and the key say, nothing throws, and nothing takes long', t => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.uint8Array({ maxLength: 40 }), (text, name, blob) => {
      knownKeys(text, name)
      knownKeys(`${text} ssh-ed25519 AAAA`, name)
      typeOfKey(Buffer.from(blob))
      return true
    })
  )
  const began = performance.now()
  t.deepEqual(knownKeys(`${'*a'.repeat(2_000)} ssh-ed25519 AAAA`, 'a'.repeat(1_000)), [])
  t.true(performance.now() - began < 5_000)
})
