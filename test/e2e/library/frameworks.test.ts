// The fixtures of docs/library.md, with the packed kt, each in its own test framework, which is no dependency of ours.
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { run } from '../../cluster/run.ts'
import { cacheDirectory } from '../../cluster/settings.ts'
import { imageArguments } from '../_support/kt.ts'
import { laptop } from '../_support/laptop.ts'

const ROOT = join(import.meta.dirname, '../../..')
const FIXTURES = join(import.meta.dirname, 'frameworks')
const folder = join(cacheDirectory(process.env), 'frameworks')
/** How each is started, in the folder with its fixture. */
const COMMANDS = {
  ava: ['node_modules/.bin/ava'],
  vitest: ['node_modules/.bin/vitest', 'run', 'vitest.test.js'],
  jest: ['--experimental-vm-modules', 'node_modules/.bin/jest']
}

test.before('the frameworks and the packed kt are installed', async t => {
  t.timeout(180_000)
  mkdirSync(folder, { recursive: true })
  cpSync(FIXTURES, folder, { recursive: true })
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: ROOT })
  const tarball = readdirSync(folder).find(name => name.endsWith('.tgz')) ?? ''
  const flags = ['--no-save', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  await run('npm', ['install', ...flags, `./${tarball}`], { cwd: folder })
})

for (const [name, words] of Object.entries(COMMANDS)) {
  test.serial(`${name}: the fixture of docs/library.md`, async t => {
    const fixture = readFileSync(join(FIXTURES, `${name}.test.js`), 'utf8')
    const shown = readFileSync(join(ROOT, 'docs/library.md'), 'utf8')
    t.true(shown.includes(fixture.replace(/^ *\/\/ biome-ignore.*\n/m, '')), 'docs/library.md shows something else')
    const [first = '', ...rest] = words
    const command = first.startsWith('-') ? [first, ...rest] : [join(folder, first), ...rest]
    const env = { KT_IMAGE: imageArguments()[1], NO_COLOR: '1' }
    const script = 'cd "$0" && exec "$@"'
    const { code, stdout, stderr } = await laptop('sh', ['-c', script, folder, process.execPath, ...command], { env })
    t.is(code, 0, stdout + stderr)
  })
}
