// Certificates of one cluster, EC P-256, made by openssl; and the kubeconfigs that hold them.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.ts'
import { clusterSettings, MOST_NODES, type Settings } from './settings.ts'

const DAYS = '3650'
/** An openssl configuration without the extensions that Debian's adds. */
const OPENSSL_CONFIG = '[req]\ndistinguished_name = name\n[name]\n'

interface Certificate {
  name: string
  subject: string
  /** subjectAltName; empty for clients. */
  names: string[]
  /** The API server's address in the kubeconfig made for this client. */
  server?: string
}

/** Make what is missing: certificates outlive `down`, and are made anew when the list below changes. */
export async function makeCertificates(settings: Settings): Promise<void> {
  const wanted = certificates(settings)
  const mark = createHash('sha256').update(JSON.stringify(wanted)).digest('hex')
  const markFile = join(settings.pki, 'complete')
  if (!existsSync(markFile) || readFileSync(markFile, 'utf8') !== mark) {
    rmSync(settings.pki, { recursive: true, force: true })
    mkdirSync(settings.pki, { recursive: true, mode: 0o700 })
    await makeAuthority(settings.pki)
    await Promise.all(wanted.map(certificate => sign(settings.pki, certificate)))
    for (const certificate of wanted)
      if (certificate.server) writeKubeconfig(settings.pki, certificate.name, certificate.server)
    writeFileSync(markFile, mark)
  }
  writeFileSync(settings.kubeconfig, readFileSync(join(settings.pki, 'admin.kubeconfig')), { mode: 0o600 })
}

function certificates(settings: Settings): Certificate[] {
  // For both families and all nodes, whatever this `up` asks for: the next one may ask for more.
  const all = clusterSettings({ ...settings, nodes: MOST_NODES, dualStack: true }, '/')
  const lan = all.lanAddresses[0]!
  const services = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local'
  ]
  const server = ['localhost', ...services].map(name => `DNS:${name}`)
  const addresses = ['10.96.0.1', 'fd10:96::1', '127.0.0.1', '::1', all.apiAddress, ...all.lanAddresses]
  return [
    {
      name: 'apiserver',
      subject: '/CN=kube-apiserver',
      names: [...server, ...addresses.map(address => `IP:${address}`)]
    },
    { name: 'kubelet-client', subject: '/O=system:masters/CN=apiserver-kubelet-client', names: [] },
    { name: 'admin', subject: '/O=system:masters/CN=admin', names: [], server: all.apiAddress },
    { name: 'kcm', subject: '/CN=system:kube-controller-manager', names: [], server: '127.0.0.1' },
    { name: 'sched', subject: '/CN=system:kube-scheduler', names: [], server: '127.0.0.1' },
    { name: 'proxy', subject: '/CN=system:kube-proxy', names: [], server: lan },
    ...all.nodeList.map(({ name, addresses }) => ({
      name,
      subject: `/O=system:nodes/CN=system:node:${name}`,
      names: [`DNS:${name}`, ...addresses.map(address => `IP:${address}`)],
      server: lan
    }))
  ]
}

async function makeAuthority(directory: string): Promise<void> {
  const file = (name: string): string => join(directory, name)
  writeFileSync(file('openssl.cnf'), OPENSSL_CONFIG)
  const authority = [
    '-subj',
    '/CN=ktk-ca',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=keyCertSign,cRLSign'
  ]
  await run('openssl', [...request(directory, 'ca'), ...authority])
  await run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file('sa.key')])
  await run('openssl', ['pkey', '-in', file('sa.key'), '-pubout', '-out', file('sa.pub')])
}

async function sign(directory: string, { name, subject, names }: Certificate): Promise<void> {
  const authority = ['-CA', join(directory, 'ca.crt'), '-CAkey', join(directory, 'ca.key')]
  const extensions = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=clientAuth,serverAuth']
  if (names.length > 0) extensions.push(`subjectAltName=${names.join(',')}`)
  const args = [
    ...request(directory, name),
    ...authority,
    '-subj',
    subject,
    ...extensions.flatMap(text => ['-addext', text])
  ]
  await run('openssl', args)
}

function request(directory: string, name: string): string[] {
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    join(directory, `${name}.key`)
  ]
  return [
    'req',
    '-x509',
    '-config',
    join(directory, 'openssl.cnf'),
    '-days',
    DAYS,
    ...key,
    '-out',
    join(directory, `${name}.crt`)
  ]
}

function writeKubeconfig(directory: string, name: string, server: string): void {
  const data = (file: string): string => readFileSync(join(directory, file)).toString('base64')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'ktk', cluster: { server: `https://${server}:6443`, 'certificate-authority-data': data('ca.crt') } }
    ],
    users: [{ name, user: { 'client-certificate-data': data(`${name}.crt`), 'client-key-data': data(`${name}.key`) } }],
    contexts: [{ name: 'ktk', context: { cluster: 'ktk', user: name, namespace: 'demo' } }],
    'current-context': 'ktk'
  }
  writeFileSync(join(directory, `${name}.kubeconfig`), `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
}
