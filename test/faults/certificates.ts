// A user of the cluster whose certificates live for seconds, and are replaced as kubelets and login programs do it.
import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../cluster/run.ts'
import { writeKubeconfig } from '../e2e/up/_support/user.ts'
import { settings } from './ground.ts'
import type { ShortUser } from './tokens.ts'

const SUBJECT = '/O=system:masters/CN=faults'
/** What `openssl ca` wants to know: it is the one that can end a certificate at any second. */
const AUTHORITY = `[ca]
default_ca = all
[all]
database = index.txt
rand_serial = yes
default_md = sha256
unique_subject = no
policy = any
x509_extensions = client
[any]
organizationName = supplied
commonName = supplied
[client]
extendedKeyUsage = clientAuth
[req]
distinguished_name = name
[name]
`

/** Make the user, an administrator by certificate; `seconds` is how long the first one is good. */
export async function certifiedUser(seconds: number): Promise<ShortUser> {
  const folder = mkdtempSync(join(tmpdir(), 'kt-faults-'))
  const file = (name: string): string => join(folder, name)
  writeFileSync(file('ca.cnf'), AUTHORITY)
  writeFileSync(file('index.txt'), '')
  const openssl: Openssl = async (...args) => void (await run('openssl', args, { cwd: folder }))
  // One key for all of them: two files cannot be replaced in one moment.
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'user.key']
  await openssl('req', '-new', '-config', 'ca.cnf', ...key, '-subj', SUBJECT, '-out', 'user.csr')
  const renew = async (forSeconds: number): Promise<void> => {
    await sign(openssl, forSeconds)
    renameSync(file('new.crt'), file('user.crt'))
  }
  await renew(seconds)
  const credentials = { 'client-certificate': file('user.crt'), 'client-key': file('user.key') }
  await writeKubeconfig(file('kubeconfig'), { user: 'faults', namespace: 'demo', credentials })
  return { kubeconfig: file('kubeconfig'), renew, remove: () => rm(folder, { recursive: true }) }
}

type Openssl = (...args: string[]) => Promise<void>

/** `new.crt` for the request, good for so many seconds. */
async function sign(openssl: Openssl, seconds: number): Promise<void> {
  const { pki } = settings()
  const authority = ['-cert', join(pki, 'ca.crt'), '-keyfile', join(pki, 'ca.key')]
  const times = ['-startdate', asn1(Date.now() - 60_000), '-enddate', asn1(Date.now() + seconds * 1000)]
  const files = ['-in', 'user.csr', '-out', 'new.crt', '-outdir', '.']
  await openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', ...authority, ...times, ...files)
}

/** GeneralizedTime of RFC 5280 §4.1.2.5.2. */
function asn1(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
}
