// The ground of the tests of --via: an address of the API server that only the jump host can use, and a user who has nothing but a home.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readKubeconfig } from '../../../../lib/kube/api/kubeconfig.ts'
import { kubeconfig } from '../../../kube/_support/kubeconfig.ts'
import { kubeconfig as ownKubeconfig } from '../../_support/laptop.ts'
import { type Sshd, sshdBesideTheServer, USER } from './sshd.ts'

export const [PORT, STRICT_PORT] = [2222, 2223]
/** A jump host that is called so, and by no address: the laptop's resolver knows it. */
export const NAMED = 'www'

export interface JumpGround {
  home: string
  /** Of the user's programs. */
  env: Record<string, string | undefined>
  sshd: Sshd
  remove(): Promise<void>
}

/** The user's ssh knows `work`, `NAMED`, `strict`, which forwards nothing, `stranger`, who is not let in, and `unknown`, whose host key is not known. */
export async function layJumpGround(): Promise<JumpGround> {
  const home = mkdtempSync(join(tmpdir(), 'kt-jump-e2e-'))
  const ssh = (name: string): string => join(home, '.ssh', name)
  mkdirSync(ssh(''), { mode: 0o700 })
  for (const name of ['work', 'stranger'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', ssh(name)])
  const config = join(home, 'kubeconfig')
  const { cluster, user } = readKubeconfig({ kubeconfig: ownKubeconfig() })
  const change = { server: 'https://127.0.0.1:6443', 'tls-server-name': new URL(cluster.server).hostname }
  writeFileSync(config, kubeconfig('jump', { ...cluster, ...change }, user, 'demo'))
  const sshd = await sshdBesideTheServer(readFileSync(ssh('work.pub'), 'utf8'))
  await sshd.start(PORT)
  await sshd.start(STRICT_PORT, 'AllowTcpForwarding=no')
  const as = (port: number, key = 'work'): string =>
    `  User ${USER}\n  IdentitiesOnly yes\n  Port ${port}\n  IdentityFile ~/.ssh/${key}\n`
  const where = `  HostName ${sshd.address}\n`
  const hosts = [
    `Host work\n${where}${as(PORT)}`,
    `Host strict\n${where}${as(STRICT_PORT)}`,
    `Host stranger\n${where}${as(PORT, 'stranger')}`,
    `Host unknown\n${where}${as(PORT)}  HostKeyAlias another\n`,
    `Host ${NAMED}\n${as(PORT)}`
  ]
  writeFileSync(ssh('config'), hosts.join(''))
  const known = [`[${sshd.address}]:${PORT}`, `[${sshd.address}]:${STRICT_PORT}`, `[${NAMED}]:${PORT}`]
  writeFileSync(ssh('known_hosts'), known.map(name => `${name} ${sshd.hostKey}\n`).join(''))
  return {
    home,
    env: { HOME: home, KT_HOME: join(home, '.kt'), SSH_AUTH_SOCK: undefined, KUBECONFIG: config },
    sshd,
    async remove() {
      await sshd.stop()
      rmSync(home, { recursive: true, force: true })
    }
  }
}
