// Who we are for the API server: a kubeconfig user as TLS options and HTTP headers, kept fresh.
import { readFileSync } from 'node:fs'
import { KtError } from '../../errors.ts'
import { type ExecCredential, runExecPlugin } from './exec-plugin.ts'
import type { Kubeconfig, UserConfig } from './kubeconfig.ts'

/** Rotated token files are read again after this long (client-go does the same). */
const TOKEN_FILE_MS = 60_000

/** What one attempt presents. A header with several values is sent as several lines. */
export interface Identity {
  certificate?: string | Buffer
  key?: string | Buffer
  headers: Record<string, string | string[]>
}

/** Credentials of an `auth-provider` (oidc, gcp, azure), which only the API client knows; `anew` forgets what it keeps. */
export type LegacyProvider = (anew: boolean) => Promise<Identity>

export class Credentials {
  readonly #config: Kubeconfig
  readonly #legacy: LegacyProvider
  #exec: Promise<ExecCredential> | undefined
  #execExpires = 0
  #refused: boolean = false
  #token: { text: string; readAt: number } | undefined

  constructor(config: Kubeconfig, legacy: LegacyProvider) {
    this.#config = config
    this.#legacy = legacy
  }

  /** The identity for a new connection or request; runs a plugin when its last answer has expired. Throws KtError. */
  async current(): Promise<Identity> {
    const { user } = this.#config
    const identity: Identity = { headers: impersonation(user) }
    certificate(user, identity)
    const token = this.#tokenOf(user)
    if (token !== undefined) identity.headers.authorization = `Bearer ${token}`
    else if (user.username)
      identity.headers.authorization = `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`
    else if (user.exec) await this.#applyExec(identity)
    else if (user['auth-provider']) {
      const legacy = await this.#legacy(this.#refused)
      this.#refused = false
      return { ...identity, ...legacy, headers: { ...identity.headers, ...legacy.headers } }
    }
    return identity
  }

  /** The API server has said 401: what is kept is worthless. True if a second attempt can differ. */
  invalidate(): boolean {
    const { user } = this.#config
    this.#exec = undefined
    this.#token = undefined
    this.#refused = true
    const files = user.tokenFile ?? user['client-certificate']
    return user.exec !== undefined || files !== undefined || user['auth-provider'] !== undefined
  }

  /** The file wins over the literal token, and the last good reading over a failed one (client-go's rules). */
  #tokenOf(user: UserConfig): string | undefined {
    if (!user.tokenFile) return user.token || undefined
    const now = performance.now() // the wall clock may jump
    if (this.#token === undefined || now - this.#token.readAt > TOKEN_FILE_MS) {
      try {
        this.#token = { text: readFileSync(user.tokenFile, 'utf8').trim(), readAt: now }
      } catch (cause) {
        const text = this.#token?.text ?? user.token
        if (!text) throw new KtError('KT_KUBECONFIG', `cannot read the token file ${user.tokenFile}`, { cause })
        this.#token = { text, readAt: now }
      }
    }
    return this.#token.text
  }

  async #applyExec(identity: Identity): Promise<void> {
    const { user, cluster } = this.#config
    if (this.#exec === undefined || Date.now() > this.#execExpires) {
      this.#execExpires = Infinity // one run at a time; all requests wait for the same
      this.#exec = runExecPlugin(user.exec!, cluster)
      this.#exec.then(
        c => (this.#execExpires = c.expires),
        () => (this.#exec = undefined)
      )
    }
    const credential = await this.#exec
    if (credential.token !== undefined) identity.headers.authorization = `Bearer ${credential.token}`
    if (credential.certificate !== undefined) identity.certificate = credential.certificate
    if (credential.key !== undefined) identity.key = credential.key
  }
}

function certificate(user: UserConfig, identity: Identity): void {
  const cert = dataOrFile(user, 'client-certificate')
  const key = dataOrFile(user, 'client-key')
  if (cert !== undefined) identity.certificate = cert
  if (key !== undefined) identity.key = key
}

function dataOrFile(user: UserConfig, key: 'client-certificate' | 'client-key'): Buffer | undefined {
  const data = user[`${key}-data`]
  if (data) return Buffer.from(data, 'base64')
  const file = user[key]
  if (!file) return undefined
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new KtError('KT_KUBECONFIG', `cannot read the ${key} ${file}`, { cause })
  }
}

function impersonation(user: UserConfig): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  if (user.as) headers['Impersonate-User'] = user.as
  if (user['as-uid']) headers['Impersonate-Uid'] = user['as-uid']
  if (user['as-groups']?.length) headers['Impersonate-Group'] = user['as-groups']
  for (const [key, values] of Object.entries(user['as-user-extra'] ?? {}))
    headers[`Impersonate-Extra-${encodeURIComponent(key)}`] = values
  return headers
}
