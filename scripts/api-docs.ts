// `npm run docs:api`: pages about the library, made of its declarations, below docs/api. TypeDoc knows TypeScript up to 6 and kt is
// compiled with 7, so it is installed for the moment, beside an older compiler that reads nothing but declarations.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeDeclarations } from './declarations.ts'

const DIRECTORY = 'docs/api'
const tools = mkdtempSync(join(tmpdir(), 'kt-api-docs-'))
const options = {
  compilerOptions: { module: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext.disposable'], types: ['node'] },
  files: ['lib/library/connect.d.ts']
}
try {
  writeDeclarations('dist')
  writeFileSync('dist/tsconfig.api.json', JSON.stringify(options))
  const packages = ['typedoc@0.28', 'typescript@6']
  execFileSync('npm', ['install', '--prefix', tools, '--no-audit', '--no-fund', '--silent', ...packages])
  const typedoc = join(tools, 'node_modules/.bin/typedoc')
  const flags = [
    '--readme',
    'docs/library.md',
    '--name',
    'kt',
    '--excludeExternals',
    '--skipErrorChecking',
    '--disableSources'
  ]
  const from = ['--tsconfig', 'dist/tsconfig.api.json', 'dist/lib/library/connect.d.ts']
  execFileSync(typedoc, [...flags, '--out', DIRECTORY, ...from], { stdio: 'inherit' })
} finally {
  rmSync('dist/tsconfig.api.json', { force: true })
  rmSync(tools, { recursive: true, force: true })
}
