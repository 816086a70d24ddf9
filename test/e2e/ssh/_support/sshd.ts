// Debian's sshd beside the API server: a host that reaches it where the laptop does not. Unpacked, because installing it would start it here.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { existingCluster } from '../../../cluster/existing.ts'
import { run } from '../../../cluster/run.ts'
import { cacheDirectory } from '../../../cluster/settings.ts'
import { CLUSTERS } from '../../_support/areas.ts'

const PACKAGES = ['openssh-server', 'libwrap0']
/** Its only user; its id is root's, because a server that is not installed knows no others. */
export const USER = 'jumper'
const READY_MS = 10_000

export interface Sshd {
  /** As the laptop reaches it. */
  address: string
  /** For known_hosts. */
  hostKey: string
  /** Listen at `port` with further options, until `stop`. */
  start(port: number, ...options: string[]): Promise<void>
  /** End the connections of those who have logged in, as a lost way does. */
  cut(): Promise<void>
  stop(): Promise<void>
}

/** `authorizedKeys`: who may log in. */
export async function sshdBesideTheServer(authorizedKeys: string): Promise<Sshd> {
  const cache = cacheDirectory(process.env)
  const settings = existingCluster(CLUSTERS.main.id, cache)
  const root = await unpacked(cache)
  const folder = mkdtempSync(join(tmpdir(), 'kt-sshd-'))
  const file = (name: string): string => join(folder, name)
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('host')])
  writeFileSync(file('keys'), authorizedKeys)
  const users = [`${USER}:*:0:0::/:/bin/sh`, 'sshd:*:65533:65534::/run/sshd:/bin/false']
  writeFileSync(file('passwd'), `${readFileSync('/etc/passwd', 'utf8')}${users.join('\n')}\n`)
  // The mount namespace that `ip netns exec` makes is its own.
  const script = `mount --bind ${file('passwd')} /etc/passwd && mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec "$@"`
  const libraries = ['lib', 'usr/lib'].map(name => join(root, name, 'x86_64-linux-gnu')).join(':')
  const fixed = [
    `HostKey=${file('host')}`,
    `AuthorizedKeysFile=${file('keys')}`,
    'StrictModes=no',
    'UsePAM=no',
    'PermitRootLogin=yes'
  ]
  const servers: ChildProcessWithoutNullStreams[] = []
  return {
    address: settings.laptopGateway,
    hostKey: readFileSync(file('host.pub'), 'utf8').trim(),
    async start(port, ...options) {
      const flags = [...fixed, ...options].flatMap(option => ['-o', option])
      const words = [join(root, 'usr/sbin/sshd'), '-D', '-e', '-f', '/dev/null', '-p', String(port), ...flags]
      const child = spawn('ip', ['netns', 'exec', settings.controlPlane, 'sh', '-c', script, 'sh', ...words], {
        env: { ...process.env, LD_LIBRARY_PATH: libraries }
      })
      servers.push(child)
      child.stdout.resume()
      await listening(child)
    },
    async cut() {
      for (const { pid } of servers) {
        const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
        for (const each of children.filter(Boolean)) process.kill(Number(each), 'SIGKILL')
      }
    },
    async stop() {
      for (const child of servers) {
        if (child.exitCode !== null) continue
        child.kill()
        await once(child, 'exit')
      }
      rmSync(folder, { recursive: true })
    }
  }
}

async function unpacked(cache: string): Promise<string> {
  const root = join(cache, 'sshd')
  if (existsSync(join(root, 'usr/sbin/sshd'))) return root
  const debs = join(root, 'debs')
  mkdirSync(debs, { recursive: true })
  await run('apt-get', ['download', ...PACKAGES], { cwd: debs })
  for (const name of readdirSync(debs)) await run('dpkg', ['-x', join(debs, name), root])
  return root
}

function listening(child: ChildProcessWithoutNullStreams): Promise<void> {
  return new Promise((resolve, reject) => {
    const said: string[] = []
    const timer = setTimeout(() => reject(new Error(`sshd does not listen: ${said.join(' | ')}`)), READY_MS)
    createInterface(child.stderr).on('line', line => {
      said.push(line)
      if (!line.startsWith('Server listening')) return
      clearTimeout(timer)
      resolve()
    })
    child.once('exit', code => reject(new Error(`sshd ended with ${code}: ${said.join(' | ')}`)))
  })
}
