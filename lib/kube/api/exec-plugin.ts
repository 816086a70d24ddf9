// Credentials from a program (client.authentication.k8s.io): what kubectl does for `users[].user.exec`.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { KtError } from '../../errors.ts'
import type { ClusterConfig, ExecConfig } from './kubeconfig.ts'

/** A login in a browser may take minutes; a plugin that hangs must not hang us for ever. */
const PLUGIN_LIMIT_MS = 5 * 60_000
/** A plugin prints a token and perhaps a certificate; more is not a credential. */
const OUTPUT_MAX_BYTES = 1024 * 1024
/** So much of what it says on stderr is quoted. */
const QUOTE_MAX_CHARS = 300
/** Credentials are fetched anew this long before they expire, so that none expires on its way. */
const EXPIRY_MARGIN_MS = 10_000

/** What the plugin said. PEM texts; `expires` is milliseconds since the epoch, Infinity when it said nothing. */
export interface ExecCredential {
  token: string | undefined
  certificate: string | undefined
  key: string | undefined
  expires: number
}

/** Run the plugin. Throws KT_UNAUTHORIZED with its own words. */
export async function runExecPlugin(exec: ExecConfig, cluster: ClusterConfig): Promise<ExecCredential> {
  const interactive = exec.interactiveMode !== 'Never' && process.stdin.isTTY === true
  if (exec.interactiveMode === 'Always' && !interactive) throw failed(exec, 'it wants a terminal, and there is none')
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive, ...clusterInfo(exec, cluster) }
  }
  const env: NodeJS.ProcessEnv = { ...process.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) }
  for (const { name, value } of exec.env ?? []) env[name] = value
  const { output, errors, code } = await run(exec, env, interactive)
  if (code !== 0) throw failed(exec, `it ended with ${code}${errors === '' ? '' : `: ${errors}`}`)
  return parseCredential(exec, output)
}

function run(exec: ExecConfig, env: NodeJS.ProcessEnv, interactive: boolean) {
  return new Promise<{ output: string; errors: string; code: number | string }>((done, fail) => {
    const child = spawn(exec.command, exec.args ?? [], {
      env,
      stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'pipe'],
      timeout: PLUGIN_LIMIT_MS
    })
    const output: Buffer[] = []
    let length = 0
    let errors = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > OUTPUT_MAX_BYTES) child.kill()
      else output.push(chunk)
    })
    child.stderr!.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk) // a device code is useless unless it is seen now
      errors = (errors + chunk.toString()).slice(-QUOTE_MAX_CHARS)
    })
    child.on('error', cause =>
      fail(
        failed(
          exec,
          (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such program' : cause.message,
          cause
        )
      )
    )
    child.on('close', (code, signal) =>
      done({
        output: Buffer.concat(output).toString(),
        errors: errors.trim().replace(/\s+/g, ' '),
        code: code ?? signal ?? 'no code'
      })
    )
  })
}

function parseCredential(exec: ExecConfig, output: string): ExecCredential {
  let status: Record<string, unknown> | undefined
  try {
    status = (JSON.parse(output) as { status?: Record<string, unknown> }).status
  } catch (cause) {
    throw failed(exec, 'what it printed is not JSON', cause)
  }
  const text = (key: string) =>
    typeof status?.[key] === 'string' && status[key] !== '' ? (status[key] as string) : undefined
  const credential = { token: text('token'), certificate: text('clientCertificateData'), key: text('clientKeyData') }
  if (credential.token === undefined && credential.certificate === undefined)
    throw failed(exec, 'it printed neither a token nor a certificate')
  const expires = Date.parse(text('expirationTimestamp') ?? '')
  return { ...credential, expires: Number.isNaN(expires) ? Infinity : expires - EXPIRY_MARGIN_MS }
}

/** `spec.cluster` of KUBERNETES_EXEC_INFO, only when the plugin asks for it. */
function clusterInfo(exec: ExecConfig, cluster: ClusterConfig): { cluster?: Record<string, unknown> } {
  if (exec.provideClusterInfo !== true) return {}
  const file = cluster['certificate-authority']
  const authority =
    cluster['certificate-authority-data'] ??
    (file && existsSync(file) ? readFileSync(file).toString('base64') : undefined)
  return {
    cluster: {
      server: cluster.server,
      'tls-server-name': cluster['tls-server-name'],
      'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'],
      'certificate-authority-data': authority,
      'proxy-url': cluster['proxy-url'],
      config: cluster.extensions?.find(e => e.name === 'client.authentication.k8s.io/exec')?.extension
    }
  }
}

function failed(exec: ExecConfig, why: string, cause?: unknown): KtError {
  const hint = exec.installHint?.trim().split('\n')[0] || 'try the same with kubectl get pods'
  return new KtError('KT_UNAUTHORIZED', `the credential plugin ${exec.command} failed: ${why}`, { hint, cause })
}
