// A real systemd-resolved on the laptop, unpacked from Debian's packages: installing it would take over the machine's resolver.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.ts'

const PACKAGES = [
  'systemd-resolved',
  'systemd',
  'libsystemd-shared',
  'dbus',
  'dbus-daemon',
  'dbus-bin',
  'libapparmor1',
  'libnss-resolve'
]

/** The command line, to be run on the laptop, that runs `command` beside systemd-resolved. */
export async function withResolved(cache: string, command: string[]): Promise<string[]> {
  const root = await fetchResolved(cache)
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child']
  return [...namespaces, 'env', `ROOT=${root}`, 'bash', join(import.meta.dirname, 'resolved.sh'), ...command]
}

async function fetchResolved(cache: string): Promise<string> {
  const root = join(cache, 'resolved')
  if (existsSync(join(root, 'lib/systemd/systemd-resolved'))) return root
  const debs = join(root, 'debs')
  mkdirSync(debs, { recursive: true })
  await run('apt-get', ['download', ...PACKAGES], { cwd: debs })
  for (const name of readdirSync(debs)) await run('dpkg', ['-x', join(debs, name), root])
  return root
}
