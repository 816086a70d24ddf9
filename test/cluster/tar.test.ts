import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { TarWriter } from './tar.ts'

/** What `tar` reads out of an archive. */
function list(archive: Buffer): string[] {
  const lines = execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: archive }).toString().trim().split('\n')
  return lines.map(line => line.replace(/\s+/g, ' ').replace(/ 0\/0 (\d+) \S+ \S+ /, ' $1 '))
}

test('tar reads what was written: folders before their files, modes, links', t => {
  const tar = new TarWriter()
  tar.file('/usr/bin/hello', Buffer.from('hello'), 0o755)
  tar.directory('/tmp', 0o1777)
  tar.symlink('/usr/bin/hi', 'hello')
  t.deepEqual(list(tar.end()), [
    'drwxr-xr-x 0 usr/',
    'drwxr-xr-x 0 usr/bin/',
    '-rwxr-xr-x 5 usr/bin/hello',
    'drwxrwxrwt 0 tmp/',
    'lrwxrwxrwx 0 usr/bin/hi -> hello'
  ])
})

test('the first entry of a path stays, and contents come back whole at block borders', t => {
  const tar = new TarWriter()
  for (const size of [0, 1, 511, 512, 513, 100_000]) tar.file(`/f${size}`, Buffer.alloc(size, size & 255))
  tar.file('/f1', Buffer.from('another'))
  const archive = tar.end()
  t.is(archive.length % 512, 0)
  for (const size of [0, 1, 511, 512, 513, 100_000]) {
    t.true(execFileSync('tar', ['-xOf', '-', `f${size}`], { input: archive }).equals(Buffer.alloc(size, size & 255)))
  }
})

test('long names are split, and refused when they cannot be', t => {
  const tar = new TarWriter()
  const long = `/${'a'.repeat(90)}/${'b'.repeat(90)}`
  tar.file(long, Buffer.from('x'))
  t.true(list(tar.end()).some(line => line.endsWith(long.slice(1))))
  t.throws(() => new TarWriter().file(`/${'c'.repeat(101)}`, Buffer.alloc(0)), { message: /too long/ })
})

test('a copied folder keeps its links', t => {
  const directory = mkdtempSync(join(tmpdir(), 'kt-tar-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'a'), 'text', { mode: 0o640 })
  symlinkSync('a', join(directory, 'b'))
  const tar = new TarWriter()
  tar.copy(directory, '/etc/x')
  t.deepEqual(list(tar.end()).slice(1), ['drwx------ 0 etc/x/', '-rw-r----- 4 etc/x/a', 'lrwxrwxrwx 0 etc/x/b -> a'])
})
