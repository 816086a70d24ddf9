// What `npm pack` makes, installed into an empty folder as a user would, without devDependencies.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import test from 'ava'

const exec = promisify(execFile)
const root = join(import.meta.dirname, '..')

const CONSUMER = `import { type Connection, connect, DialError, KtError, type KtErrorCode } from 'kt'

export async function ask(url: string): Promise<number> {
  await using kt: Connection = await connect({ namespace: 'demo', onEvent: event => console.log(event.event) })
  await using diversion = await kt.exchange('shop', { expose: '3000:80' })
  void diversion.lost.then(error => console.log(error.message))
  const socket = await kt.dial('tcp', 'nginx:80').catch((error: unknown) => (error instanceof DialError ? error.code : undefined))
  console.log(typeof socket)
  return (await kt.fetch(url, { dispatcher: kt.dispatcher })).status
}
export const code: KtErrorCode = new KtError('KT_USAGE', 'x').code
// @ts-expect-error there is no such option
void connect({ nameSpace: 'x' })
`

test.serial(
  'the packed package runs: kt --version, kt up --help, import, its types, and the agent is in it',
  async t => {
    t.timeout(180_000)
    const folder = await mkdtemp(join(tmpdir(), 'kt-package-'))
    t.teardown(() => rm(folder, { recursive: true }))
    await exec('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root })
    const [tarball] = await readdir(folder)
    await writeFile(join(folder, 'package.json'), '{"private":true}')
    const began = performance.now()
    await exec('npm', ['install', '--silent', '--no-audit', '--no-fund', '--omit=dev', `./${tarball}`], { cwd: folder })
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    const { stdout: du } = await exec('du', ['-sk', 'node_modules'], { cwd: folder })
    const packedKb = Math.round((await stat(join(folder, tarball ?? ''))).size / 1000)
    t.log(
      `packed ${packedKb} kB, installed with all dependencies ${Math.round(Number.parseInt(du, 10) / 1024)} MiB in ${seconds} s`
    )

    const kt = (...args: string[]): Promise<{ stdout: string }> =>
      exec(process.execPath, [join(folder, 'node_modules/kt/dist/bin/kt.js'), ...args], { cwd: folder })
    t.regex((await kt('--version')).stdout, /^kt version \d+\.\d+\.\d+\n$/)
    const help = (await kt('up', '--help')).stdout
    t.regex(help, /--excludeIps <list>/)
    t.regex(help, /sudo kt up/)
    const script = `const kt = await import('kt'); console.log(Object.keys(kt).sort().join(' '))`
    const imported = await exec(process.execPath, ['--input-type=module', '-e', script], { cwd: folder })
    t.is(imported.stdout, 'DialError KtError connect\n')
    await writeFile(join(folder, 'consumer.ts'), CONSUMER)
    const tsc = [
      '--strict',
      '--noEmit',
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--lib',
      'es2024,esnext.disposable'
    ]
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), '--exactOptionalPropertyTypes']
    await exec(join(root, 'node_modules/.bin/tsc'), [...tsc, ...types, 'consumer.ts'], { cwd: folder }).catch(
      (error: { stdout: string }) => t.fail(error.stdout)
    )
    const agent = await readdir(join(folder, 'node_modules/kt/dist/shadow-agent'))
    t.deepEqual(agent, ['agent.js', 'ssh-door.js'])
    const page = await readdir(join(folder, 'node_modules/kt/dist/dashboard'))
    t.deepEqual(page.sort(), ['icon.svg', 'index.html', 'page.css', 'page.js'])
    t.deepEqual(await readdir(join(folder, 'node_modules/.bin')).then(names => names.includes('kt')), true)
  }
)

test.serial('whoever runs the program while it is built anew finds it', async t => {
  t.timeout(180_000)
  let done = false
  const built = exec(process.execPath, ['scripts/build.ts'], { cwd: root }).finally(() => {
    done = true
  })
  let [asked, missing] = [0, 0]
  while (!done) {
    asked += 1
    if (!existsSync(join(root, 'dist/bin/kt.js'))) missing += 1
    await sleep(2)
  }
  await built
  t.true(asked > 100 && missing <= 1, `${missing} of ${asked} times it was not there`)
  t.deepEqual(
    (await readdir(root)).filter(name => name.startsWith('dist-')),
    []
  )
})
