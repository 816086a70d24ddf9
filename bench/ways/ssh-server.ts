// An ssh server with Python in a pod, for `ssh -D` and `sshuttle`: its image is made of this machine's Debian packages.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ociImage } from '../../test/cluster/oci.ts'
import { run } from '../../test/cluster/run.ts'
import { cacheDirectory } from '../../test/cluster/settings.ts'
import { TarWriter } from '../../test/cluster/tar.ts'
import { kubectl } from '../../test/cluster/up.ts'
import type { Testbed } from '../harness/testbed.ts'
import { undoable } from '../harness/undo.ts'
import { Unavailable } from './way.ts'

const IMAGE = 'kt.local/bench-ssh:1'
const NAME = 'bench-ssh'
/** Unpacked, not installed: installing the server would start it on this machine. */
const PACKAGES = ['openssh-server', 'libwrap0', 'sshuttle']
export const SSH_PORT = 2222

export interface SshServer {
  pod: string
  namespace: string
  uid: string
  /** Private key file of the only user, root. */
  key: string
  /** Where Debian's sshuttle was unpacked. */
  packages: string
}

let server: Promise<SshServer> | undefined

/** The server in the test cluster, started when it is asked for first. Rejects with {@link Unavailable} where it cannot be. */
export function sshServer(bed: Testbed): Promise<SshServer> {
  server ??= start(bed).catch(error => {
    throw new Unavailable(`ssh -D and sshuttle are not measured: ${String(error.message).split('\n')[0]}`)
  })
  return server
}

async function start(bed: Testbed): Promise<SshServer> {
  const directory = join(cacheDirectory(process.env), 'bench-ssh')
  const packages = join(directory, 'root')
  mkdirSync(packages, { recursive: true })
  if (!existsSync(join(packages, 'usr/sbin/sshd'))) await unpack(directory, packages)
  const tar = join(directory, 'image.tar')
  if (!existsSync(tar)) writeFileSync(tar, ociImage({ name: IMAGE }, await layer(packages)))
  for (const node of bed.settings.nodeList) {
    const socket = join(node.directory, 'run/containerd.sock')
    await run('ctr', ['-a', socket, '-n', 'k8s.io', 'images', 'import', tar])
  }
  const keys = mkdtempSync(join(tmpdir(), 'kt-bench-ssh-'))
  undoable(() => rmSync(keys, { recursive: true }))
  for (const name of ['host', 'user']) {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, name)])
  }
  const { namespace } = bed.traffic
  undoable(() => bed.kubectl('-n', namespace, 'delete', 'pod,secret', NAME, '--ignore-not-found', '--wait=false'))
  await bed.kubectl('-n', namespace, 'delete', 'pod,secret', NAME, '--ignore-not-found', '--now')
  await kubectl(bed.settings, ['apply', '-f', '-'], objects(namespace, keys))
  await bed.kubectl('-n', namespace, 'wait', `pod/${NAME}`, '--for=condition=Ready', '--timeout=60s')
  const uid = await bed.kubectl('-n', namespace, 'get', 'pod', NAME, '-o', 'jsonpath={.metadata.uid}')
  return { pod: NAME, namespace, uid, key: join(keys, 'user'), packages }
}

async function unpack(directory: string, packages: string): Promise<void> {
  await run('apt-get', ['download', ...PACKAGES], { cwd: directory })
  for (const name of readdirSync(directory).filter(each => each.endsWith('.deb'))) {
    await run('dpkg', ['-x', join(directory, name), packages])
  }
}

async function layer(packages: string): Promise<Buffer> {
  const tar = new TarWriter()
  const python = realpathSync('/usr/bin/python3')
  tar.file('/etc/passwd', Buffer.from('root:x:0:0:root:/:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n'))
  tar.file('/etc/group', Buffer.from('root:x:0:\nnogroup:x:65534:\n'))
  tar.file('/etc/nsswitch.conf', Buffer.from('hosts: files dns\n'))
  tar.directory('/run/sshd')
  tar.directory('/tmp', 0o1777)
  tar.copy('/bin/busybox', '/bin/busybox')
  for (const applet of (await run('/bin/busybox', ['--list'])).trim().split('\n'))
    tar.symlink(`/bin/${applet}`, 'busybox')
  const sshd = join(packages, 'usr/sbin/sshd')
  tar.copy(sshd, '/usr/sbin/sshd')
  tar.copy(python, '/usr/bin/python3')
  tar.copy(`/usr/lib/${python.split('/').at(-1)}`, `/usr/lib/${python.split('/').at(-1)}`)
  const folders = ['lib', 'usr/lib'].map(name => join(packages, name, 'x86_64-linux-gnu'))
  const env = { ...process.env, LD_LIBRARY_PATH: folders.join(':') }
  for (const program of [sshd, python]) {
    for (const [path] of (await run('ldd', [program], { env })).matchAll(/\/[^ )]+/g)) {
      if (existsSync(path)) tar.copy(path, path.startsWith(packages) ? path.slice(packages.length) : path)
    }
  }
  return tar.end()
}

function objects(namespace: string, keys: string): string {
  const data = Object.fromEntries(
    [
      ['host', 'host'],
      ['authorized_keys', 'user.pub']
    ].map(([name, file]) => [name, readFileSync(join(keys, file!)).toString('base64')])
  )
  const options = ['HostKey=/keys/host', 'AuthorizedKeysFile=/keys/authorized_keys', 'StrictModes=no', 'UsePAM=no']
  const flags = [...options, 'PermitRootLogin=yes'].flatMap(option => ['-o', option])
  const metadata = { name: NAME, namespace }
  const container = {
    name: 'sshd',
    image: IMAGE,
    imagePullPolicy: 'Never',
    command: ['/usr/sbin/sshd', '-D', '-e', '-f', '/dev/null', '-p', String(SSH_PORT), ...flags],
    readinessProbe: { tcpSocket: { port: SSH_PORT }, periodSeconds: 1 },
    volumeMounts: [{ name: 'keys', mountPath: '/keys' }]
  }
  const volumes = [{ name: 'keys', secret: { secretName: NAME, defaultMode: 0o400 } }]
  const spec = { terminationGracePeriodSeconds: 0, containers: [container], volumes }
  const items = [
    { apiVersion: 'v1', kind: 'Secret', metadata, data },
    { apiVersion: 'v1', kind: 'Pod', metadata, spec }
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}
