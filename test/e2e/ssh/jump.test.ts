// --via: the API server's address is one that only the jump host can use, Debian's sshd on the machine of the control plane.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { readKubeconfig } from '../../../lib/kube/api/kubeconfig.ts'
import type { SessionStatus } from '../../../lib/session/status.ts'
import { kubeconfig } from '../../kube/_support/kubeconfig.ts'
import { kt, READY_LINE, startCommand } from '../_support/kt.ts'
import { builtIn, laptop, kubeconfig as ownKubeconfig } from '../_support/laptop.ts'
import { knownBytes, sha256 } from '../up/_support/known-bytes.ts'
import { type Sshd, sshdBesideTheServer, USER } from './_support/sshd.ts'

const [PORT, STRICT_PORT] = [2222, 2223]
const MEBIBYTES = 24
const home = mkdtempSync(join(tmpdir(), 'kt-jump-e2e-'))
const config = join(home, 'kubeconfig')
/** As a user who has nothing but this directory. */
const env = { HOME: home, KT_HOME: join(home, '.kt'), SSH_AUTH_SOCK: undefined, KUBECONFIG: config }
let sshd: Sshd | undefined

const ssh = (name: string): string => join(home, '.ssh', name)

test.before(async () => {
  if (!builtIn) return
  mkdirSync(ssh(''), { mode: 0o700 })
  for (const name of ['work', 'stranger'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', ssh(name)])
  const { cluster, user } = readKubeconfig({ kubeconfig: ownKubeconfig() })
  const change = { server: 'https://127.0.0.1:6443', 'tls-server-name': new URL(cluster.server).hostname }
  writeFileSync(config, kubeconfig('jump', { ...cluster, ...change }, user, 'demo'))
  sshd = await sshdBesideTheServer(readFileSync(ssh('work.pub'), 'utf8'))
  await sshd.start(PORT)
  await sshd.start(STRICT_PORT, 'AllowTcpForwarding=no')
  const where = `  HostName ${sshd.address}\n  User ${USER}\n  IdentitiesOnly yes\n`
  writeFileSync(
    ssh('config'),
    [
      `Host work\n${where}  Port ${PORT}\n  IdentityFile ~/.ssh/work\n`,
      `Host strict\n${where}  Port ${STRICT_PORT}\n  IdentityFile ~/.ssh/work\n`,
      `Host stranger\n${where}  Port ${PORT}\n  IdentityFile ~/.ssh/stranger\n`,
      `Host unknown\n${where}  Port ${PORT}\n  IdentityFile ~/.ssh/work\n  HostKeyAlias another\n`
    ].join('')
  )
  writeFileSync(
    ssh('known_hosts'),
    [PORT, STRICT_PORT].map(port => `[${sshd!.address}]:${port} ${sshd!.hostKey}\n`).join('')
  )
})
test.after.always(async () => {
  await sshd?.stop()
  rmSync(home, { recursive: true, force: true })
})

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await kt([...args, '-n', 'demo'], { env })
  return `${code} ${(stderr || stdout).split('\n')[0]}`
}

const onBuiltIn = builtIn ? test.serial : test.serial.skip

onBuiltIn('the server is out of reach without it; a request goes by it', async t => {
  t.regex(await said('birdseye'), /^4 kt: cannot reach the API server at https:\/\/127\.0\.0\.1:6443: .*ECONNREFUSED/)
  t.regex(await said('birdseye', '--via', 'work'), /^0 /)
})

onBuiltIn('an unknown host key, a refused key and refused forwarding are one line each', async t => {
  const host = (port: number): string => `ssh://${USER}@${sshd!.address}:${port}`
  t.regex(
    await said('birdseye', '--via', 'unknown'),
    new RegExp(`^4 kt: the jump host ${host(PORT)} is not known: its host key is ssh-ed25519 SHA256:`)
  )
  t.is(
    await said('birdseye', '--via', 'stranger'),
    `4 kt: the jump host ${host(PORT)} does not let ${USER} in with the keys of this computer: none of them`
  )
  t.is(
    await said('birdseye', '--via', 'strict'),
    `4 kt: the jump host ${host(STRICT_PORT)} may not open connections to 127.0.0.1:6443`
  )
  t.is(await said('birdseye', '--via', 'http://work'), '2 kt: --via: "http://work" is no jump host')
})

onBuiltIn('kt up by it: open connections go on when the ssh connection is lost', async t => {
  const running = await startCommand(['up', '--socks', '-n', 'demo', '--via', 'work'], READY_LINE, { env })
  try {
    const url = `http://node-echo/random?mb=${MEBIBYTES}&seed=jump`
    const get = `curl -sS --max-time 60 -x socks5h://127.0.0.1:2223 --limit-rate 8M '${url}' | sha256sum`
    const download = laptop('sh', ['-c', get])
    await new Promise(resolve => setTimeout(resolve, 1_000))
    await sshd!.cut()
    const { stdout, stderr } = await download
    t.is(stdout.split(' ')[0], sha256(knownBytes(MEBIBYTES, 'jump')), stderr)
    const rows = JSON.parse((await kt(['status', '--output', 'json'], { env })).stdout) as { status: SessionStatus }[]
    const events = rows[0]!.status.carriers.map(({ event }) => event)
    t.deepEqual([events[0], events.at(-1), events.includes('restarted')], ['connected', 'resumed', false])
  } finally {
    t.is((await running.stop()).code, 0)
  }
})
