// A static program with musl's resolver, built of Debian's musl-dev, which is unpacked and not installed.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../../cluster/run.ts'
import { cacheDirectory } from '../../../cluster/settings.ts'

const SOURCE = join(import.meta.dirname, '../peers/resolve.c')

/** Path of the program: it prints the first IPv4 address of the name it is given. */
export async function muslResolver(): Promise<string> {
  const directory = join(cacheDirectory(process.env), 'musl')
  const program = join(directory, 'resolve')
  if (existsSync(program)) return program
  mkdirSync(directory, { recursive: true })
  await run('apt-get', ['download', 'musl-dev'], { cwd: directory })
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.deb')) await run('dpkg', ['-x', join(directory, name), directory])
  }
  const triplet = readdirSync(join(directory, 'usr/lib')).find(name => name.endsWith('-linux-musl')) ?? ''
  const library = (name: string): string => join(directory, 'usr/lib', triplet, name)
  const builtins = (await run('gcc', ['-print-libgcc-file-name'])).trim()
  await run('gcc', [
    ...['-static', '-nostdlib', '-nostartfiles', '-nostdinc', '-isystem', join(directory, 'usr/include', triplet)],
    ...['-o', program, library('crt1.o'), library('crti.o'), SOURCE, library('libc.a'), builtins, library('crtn.o')]
  ])
  return program
}

/** Words that give kt a laptop on which musl is installed: kt then leaves no other server beside its own. */
export const ON_A_LAPTOP_WITH_MUSL = [
  'unshare',
  '--mount',
  'sh',
  '-ec',
  'mount -t tmpfs tmpfs /mnt; mkdir /mnt/upper /mnt/work; \
mount -t overlay overlay -o lowerdir=/usr/lib,upperdir=/mnt/upper,workdir=/mnt/work /usr/lib; \
touch /usr/lib/ld-musl-x86_64.so.1; exec "$@"',
  'sh'
]
