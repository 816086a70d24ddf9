// The types that a program of the library sees, and no others: those that its entry leads to.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const ENTRY = 'lib/library/connect.d.ts'

/** Write them below `directory`, each beside the JavaScript that it describes. */
export function writeDeclarations(directory: string): void {
  const all = mkdtempSync(join(tmpdir(), 'kt-types-'))
  const flags = ['-p', 'tsconfig.build.json', '--declaration', '--emitDeclarationOnly', '--outDir', all]
  execFileSync('node_modules/.bin/tsc', flags, { stdio: 'inherit' })
  const seen = new Set([ENTRY])
  for (const file of seen) {
    // Older compilers look for a declaration by the name of its JavaScript only.
    const text = readFileSync(join(all, file), 'utf8').replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'")
    for (const [, path] of text.matchAll(/from '(\.[^']*)\.js'/g)) seen.add(join(dirname(file), `${path}.d.ts`))
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    writeFileSync(join(directory, file), text)
  }
  rmSync(all, { recursive: true })
}
