// A user of the laptop without any rights: no capabilities, a home of his own, and the device file that every user may open.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { chown, copyFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imageArguments, KT } from '../../_support/kt.ts'
import { type Finished, kubeconfig, type LaptopOptions, laptop, spawnOnLaptop } from '../../_support/laptop.ts'

/** Nobody else's: pods of the cluster are processes of this machine, too, many of uid 1000. */
export const UID = 61_000

/** As udev makes them on every distribution: for all users. */
const DEVICES = `mount -t tmpfs tmpfs /mnt
for each in net/tun:10:200 null:1:3 tty:5:0 urandom:1:9; do
  name=\${each%%:*}; numbers=\${each#*:}; file=/mnt/$(basename $name)
  mknod -m 666 $file c \${numbers%:*} \${numbers#*:}; mount --bind $file /dev/$name
done
umount -l /mnt; exec "$@"`
const UNPRIVILEGED = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--bounding-set=-all', '--']

export interface ShellUser {
  home: string
  /** Run `kt shell` to its end. */
  shell(args: readonly string[], options?: LaptopOptions): Promise<Finished>
  /** Start it; the process becomes kt's. */
  start(args: readonly string[]): ChildProcessWithoutNullStreams
  /** The same at a terminal, which is the input and output of the process. */
  atTerminal(args: readonly string[]): ChildProcessWithoutNullStreams
  remove(): Promise<void>
}

export async function makeShellUser(): Promise<ShellUser> {
  const home = mkdtempSync(join(tmpdir(), 'kt-user-'))
  const file = join(home, 'kubeconfig')
  await copyFile(kubeconfig(), file)
  for (const path of [home, file]) await chown(path, UID, UID)
  const env = { KT_HOME: join(home, '.kt'), HOME: home, TMPDIR: home, SHELL: '/bin/sh' }
  const through = ['--mount', 'sh', '-ec', DEVICES, 'sh', ...UNPRIVILEGED]
  const words = (...args: string[]): string[] => [
    ...[process.execPath, KT, 'shell', '-n', 'demo', '-c', file, ...imageArguments()],
    ...args
  ]
  return {
    home,
    shell: (args, options = {}) =>
      laptop('unshare', [...through, ...words(...args)], { ...options, env: { ...env, ...options.env } }),
    start: args => spawnOnLaptop('unshare', [...through, ...words(...args)], { env }),
    atTerminal: args =>
      spawnOnLaptop('script', ['-qec', quoted(['unshare', ...through, ...words(...args)]), '/dev/null'], { env }),
    remove: () => rm(home, { recursive: true, force: true })
  }
}

/** For sh. */
function quoted(words: readonly string[]): string {
  return words.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
}
