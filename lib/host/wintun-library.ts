// Where wintun.dll lies on this computer, and whose it is. It is not part of kt: https://www.wintun.net has it, signed by WireGuard LLC.
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { KtError } from '../errors.ts'
import { powershell, quote, type Run, systemFile } from './powershell.ts'
import { run } from './run.ts'
import { statePath } from './state.ts'

/** In the subject of the certificate. */
const SIGNER = /(^|, )O="?WireGuard LLC"?(,|$)/

/**
 * The library that is to be loaded: `$KT_WINTUN`, or the first that is there of kt's directory, Node's, and Windows'. Whoever
 * could put another file there would become an administrator, so the signature is checked. Rejects with KT_NO_TUN.
 */
export async function findWintun(place: { run: Run } = { run }): Promise<string> {
  const path = wintunPaths().find(each => isAbsolute(each) && existsSync(each))
  if (path === undefined) throw missing()
  const { ok, stdout, stderr } = await powershell(
    [
      `$s = Get-AuthenticodeSignature -LiteralPath ${quote(path)}`,
      'ConvertTo-Json -Compress -InputObject @{ status = [string]$s.Status; subject = [string]$s.SignerCertificate.Subject }'
    ],
    place
  )
  const { status = '', subject = '' } = ok ? parse(stdout) : {}
  if (status === 'Valid' && SIGNER.test(subject)) return path
  throw new KtError('KT_NO_TUN', `${path} is not signed by WireGuard LLC: ${status || stderr.split('\n')[0]?.trim()}`, {
    hint: 'take wintun.dll from the archive of https://www.wintun.net as it is'
  })
}

/** In this order; of those that are no absolute paths nothing is loaded. */
export function wintunPaths(): string[] {
  const named = process.env.KT_WINTUN
  if (named) return [named]
  return [statePath('wintun.dll'), join(dirname(process.execPath), 'wintun.dll'), systemFile('wintun.dll')]
}

function missing(): KtError {
  const wanted = wintunPaths()[0] ?? ''
  return new KtError(
    'KT_NO_TUN',
    `wintun.dll is not on this computer: it is looked for at ${wintunPaths().join(', ')}`,
    {
      hint: `take bin\\${process.arch === 'x64' ? 'amd64' : process.arch}\\wintun.dll of the archive of https://www.wintun.net to ${wanted}`
    }
  )
}

function parse(text: string): { status?: string; subject?: string } {
  try {
    return (JSON.parse(text) as { status?: string; subject?: string } | null) ?? {}
  } catch {
    return {}
  }
}
