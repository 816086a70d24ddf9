// A user of the cluster whose tokens live for seconds: the API server itself makes none that end before ten minutes.
import { createPrivateKey, randomUUID, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubectl } from '../e2e/_support/kubectl.ts'
import { writeKubeconfig } from '../e2e/up/_support/user.ts'
import { settings } from './ground.ts'

const NAME = 'faults'
const ISSUER = 'https://kubernetes.default.svc.cluster.local'

export interface ShortUser {
  /** Names the file of the token. */
  kubeconfig: string
  /** Put a new token into that file, good for so many seconds. */
  renew(seconds: number): void
  remove(): Promise<void>
}

/** Make the user, who may do everything in the namespace demo and read the rest; `seconds` is how long the first token is good. */
export async function shortUser(seconds: number): Promise<ShortUser> {
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
  const [kubeconfig, tokenFile] = [join(folder, 'kubeconfig'), join(folder, 'token')]
  const renew = (forSeconds: number): void => {
    writeFileSync(`${tokenFile}.new`, token(uid, forSeconds), { mode: 0o600 })
    renameSync(`${tokenFile}.new`, tokenFile)
  }
  renew(seconds)
  await writeKubeconfig(kubeconfig, { user: NAME, namespace: 'demo', credentials: { tokenFile } })
  return {
    kubeconfig,
    renew,
    async remove() {
      await kubectl(['delete', 'clusterrolebinding', NAME, '--ignore-not-found'])
      await kubectl(['-n', 'demo', 'delete', 'serviceaccount', NAME, '--ignore-not-found'])
    }
  }
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
