// A user of the cluster whose tokens live for seconds: the API server itself makes none that end before ten minutes.
import { createPrivateKey, randomUUID, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubectl } from '../e2e/_support/kubectl.ts'
import { writeKubeconfig } from '../e2e/up/_support/user.ts'
import { settings } from './ground.ts'

const NAME = 'faults'
const EXEC_VERSION = 'client.authentication.k8s.io/v1'
const ISSUER = 'https://kubernetes.default.svc.cluster.local'

export interface ShortUser {
  kubeconfig: string
  /** A new token or certificate from now on, good for so many seconds. */
  renew(seconds: number): Promise<void>
  remove(): Promise<void>
}

/** How the kubeconfig has the token: in a file, or from a program that also says until when it is good. */
type TokenSource = 'file' | 'plugin'

/** Make the user, who may do everything; `seconds` is how long the first token is good. */
export async function shortUser(seconds: number, source: TokenSource = 'file'): Promise<ShortUser> {
  const subject = { kind: 'ServiceAccount', name: NAME, namespace: 'demo' }
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }
  const binding = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: NAME } }
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, namespace: 'demo' } },
    { ...binding, roleRef, subjects: [subject] }
  ]
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  const uid = await kubectl(['-n', 'demo', 'get', 'serviceaccount', NAME, '-o', 'jsonpath={.metadata.uid}'])
  const folder = mkdtempSync(join(tmpdir(), 'kt-faults-'))
  const file = (name: string): string => join(folder, name)
  const [kubeconfig, tokenFile, plugin] = [file('kubeconfig'), file('token'), file('plugin')]
  const renew = async (forSeconds: number): Promise<void> => {
    const text = token(uid, forSeconds)
    writeFileSync(`${tokenFile}.new`, source === 'file' ? text : credential(text, forSeconds), { mode: 0o600 })
    renameSync(`${tokenFile}.new`, tokenFile)
  }
  await renew(seconds)
  writeFileSync(plugin, `#!/bin/sh\nexec cat ${tokenFile}\n`, { mode: 0o700 })
  const exec = { apiVersion: EXEC_VERSION, command: plugin, interactiveMode: 'Never' }
  const credentials = source === 'file' ? { tokenFile } : { exec }
  await writeKubeconfig(kubeconfig, { user: NAME, namespace: 'demo', credentials })
  return {
    kubeconfig,
    renew,
    async remove() {
      await kubectl(['delete', 'clusterrolebinding', NAME, '--ignore-not-found'])
      await kubectl(['-n', 'demo', 'delete', 'serviceaccount', NAME, '--ignore-not-found'])
      await rm(folder, { recursive: true })
    }
  }
}

/** What a credential plugin prints. */
function credential(text: string, seconds: number): string {
  const expirationTimestamp = new Date(Date.now() + seconds * 1000).toISOString()
  return JSON.stringify({
    apiVersion: EXEC_VERSION,
    kind: 'ExecCredential',
    status: { token: text, expirationTimestamp }
  })
}

/** A ServiceAccount token as the API server signs them: a JWT (RFC 7519) with ES256. */
function token(uid: string, seconds: number): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: ISSUER,
    aud: [ISSUER],
    sub: `system:serviceaccount:demo:${NAME}`,
    iat: now,
    nbf: now,
    exp: now + seconds,
    jti: randomUUID(),
    'kubernetes.io': { namespace: 'demo', serviceaccount: { name: NAME, uid } }
  }
  const body = [{ alg: 'ES256', typ: 'JWT' }, claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const key = createPrivateKey(readFileSync(join(settings().pki, 'sa.key')))
  return `${body}.${sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
