// What `npm pack` makes, installed into an empty folder as a user would, without devDependencies.
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'

const exec = promisify(execFile)
const root = join(import.meta.dirname, '..')

test('the packed package runs: kt --version, kt up --help, and the agent is in it', async t => {
  t.timeout(180_000)
  const folder = await mkdtemp(join(tmpdir(), 'kt-package-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await exec('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root })
  const [tarball] = await readdir(folder)
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  await exec('npm', ['install', '--silent', '--no-audit', '--no-fund', '--omit=dev', `./${tarball}`], { cwd: folder })

  const kt = (...args: string[]): Promise<{ stdout: string }> =>
    exec(process.execPath, [join(folder, 'node_modules/kt/dist/bin/kt.js'), ...args], { cwd: folder })
  t.regex((await kt('--version')).stdout, /^kt version \d+\.\d+\.\d+\n$/)
  const help = (await kt('up', '--help')).stdout
  t.regex(help, /--excludeIps <list>/)
  t.regex(help, /sudo kt up/)
  const agent = await readdir(join(folder, 'node_modules/kt/dist/shadow-agent'))
  t.deepEqual(agent, ['agent.js'])
  t.deepEqual(await readdir(join(folder, 'node_modules/.bin')).then(names => names.includes('kt')), true)
})
