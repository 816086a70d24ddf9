// Windows PowerShell 5.1, which every Windows has: statements in, what they print out.
import { join } from 'node:path'
import { type RunResult, run } from './run.ts'

/** Loading its modules takes seconds on a busy computer. */
const LIMIT_MS = 30_000
/** A cmdlet that changes the network takes tens of milliseconds. */
const STATEMENT_LIMIT_MS = 200

/** As `run`; a test has a Windows of its own behind it. */
export type Run = typeof run

/** A file of Windows. Never the program that PATH names: it is run with the rights of an administrator. */
export function systemFile(name: string): string {
  return join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', name)
}

export const POWERSHELL = 'WindowsPowerShell\\v1.0\\powershell.exe'

/**
 * Run the statements one after the other, until one fails: then `ok` is false and `stderr` what it said. Whatever comes from outside is
 * given to them through `quote`. `-Command -` reads them from the standard input, where they may be longer than a command line.
 */
export function powershell(statements: readonly string[], place: { run: Run } = { run }): Promise<RunResult> {
  const script = [
    "$ErrorActionPreference = 'Stop'",
    "$ProgressPreference = 'SilentlyContinue'",
    '[Console]::OutputEncoding = [Text.Encoding]::UTF8',
    // One line, because without a block each line is on its own, and the next is run although it has failed.
    `try { ${statements.join('; ')} } catch { [Console]::Error.WriteLine($_.Exception.Message); exit 1 }`
  ]
  return place.run(
    systemFile(POWERSHELL),
    ['-NoLogo', '-NoProfile', '-NonInteractive', '-OutputFormat', 'Text', '-Command', '-'],
    { input: `${script.join('\n')}\n\n`, limitMs: LIMIT_MS + statements.length * STATEMENT_LIMIT_MS }
  )
}

/** Has this process the rights of an administrator, and not only its user? */
export async function isAdministrator(place: { run: Run } = { run }): Promise<boolean> {
  const who = '[Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()'
  const { ok, stdout } = await powershell(
    [`(${who}).IsInRole([Security.Principal.WindowsBuiltInRole]'Administrator')`],
    place
  )
  return ok && stdout.trim() === 'True'
}

/** A text that PowerShell takes literally (about_Quoting_Rules: four other characters also end such a text). */
export function quote(text: string): string {
  return `'${text.replace(/['\u2018-\u201b]/g, '$&$&')}'`
}

/** Several of them. */
export function quoteAll(texts: readonly string[]): string {
  return `@(${texts.map(quote).join(',')})`
}
