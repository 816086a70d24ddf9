// kt ssh-config with the laptop's own OpenSSH: ports both ways, no shell, known host keys, nothing left behind.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { inCluster } from '../_support/demo.ts'
import { imageArguments, kt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { knownBytes, sha256 } from '../up/_support/known-bytes.ts'

const home = mkdtempSync(join(tmpdir(), 'kt-door-e2e-'))
const file = (name: string): string => join(home, name)
const env = { KT_HOME: home }
const MEBIBYTES = 24
/** On the laptop. */
const [LOCAL, SOCKS, SERVED] = [18_101, 18_102, 18_103]
/** In the pod. */
const REMOTE = 18_104
const CONTROL = file('control')
const onControl = ['-F', file('ssh_config'), '-S', CONTROL]

/** What a killed kt has left in the cluster: it stays for some minutes. */
let before: string[] = []
let main: ReturnType<typeof spawnOnLaptop> | undefined
let said: (() => string) | undefined

async function config(name: string, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await kt(['ssh-config', name, '-n', 'demo', ...flags, ...imageArguments()], { env })
  if (code !== 0) throw new Error(stderr)
  return stdout
}

/** Objects of kt that were not there before, `kind/name`. */
async function made(kinds: string): Promise<string[]> {
  const names = await kubectl(['-n', 'demo', 'get', kinds, '-l', 'control-by=kt', '-o', 'name'])
  return names.split('\n').filter(name => name !== '' && !before.includes(name))
}

test.before(async () => {
  before = await made('pods,configmaps')
  const both = [await config('kt'), await config('kt-sh', '--shell')]
  writeFileSync(file('ssh_config'), both.join(''))
  writeFileSync(file('served'), knownBytes(MEBIBYTES, 'up'))
  const forwards = ['-L', `${LOCAL}:node-echo:80`, '-D', String(SOCKS), '-R', `*:${REMOTE}:localhost:${SERVED}`]
  main = spawnOnLaptop('ssh', ['-M', ...onControl, '-o', 'ExitOnForwardFailure=yes', ...forwards, 'kt'], { env })
  said = collect(main.stderr)
  const isUp = async (): Promise<boolean> => existsSync(CONTROL) || main?.exitCode !== null
  if (!(await eventually(true, 60_000, isUp)) || !existsSync(CONTROL)) throw new Error(said())
})
test.after.always(() => {
  main?.kill()
  rmSync(home, { recursive: true, force: true })
})

test.serial('what is printed needs nothing else: the key is there, and only for its owner', async t => {
  const text = await config('kt')
  t.is(await config('kt'), text)
  t.regex(text, /^Host kt\n/)
  t.is(statSync(file('ssh/id_ed25519')).mode & 0o777, 0o600)
  const { stdout } = await laptop('ssh', ['-F', file('ssh_config'), '-G', 'kt'])
  for (const line of [
    'user kt',
    'stricthostkeychecking true',
    'sessiontype none',
    `identityfile ${file('ssh/id_ed25519')}`
  ])
    t.true(stdout.includes(`${line}\n`), line)
})

test.serial('-L and -D: bytes, names as in the pod, a refusal', async t => {
  const sum = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await laptop('sh', ['-c', 'curl -sS --max-time 60 "$@" | sha256sum', 'sh', ...args])
    return stdout.split(' ')[0] ?? stderr
  }
  const path = `/random?mb=${MEBIBYTES}&seed=down`
  const wanted = sha256(knownBytes(MEBIBYTES, 'down'))
  t.is(await sum(`http://127.0.0.1:${LOCAL}${path}`), wanted, said!())
  t.is(await sum('--socks5-hostname', `127.0.0.1:${SOCKS}`, `http://node-echo.demo.svc${path}`), wanted)
  const refused = await laptop('curl', ['-sS', '--socks5-hostname', `127.0.0.1:${SOCKS}`, 'http://nobody/'])
  t.not(refused.code, 0)
})

test.serial('-R: the cluster calls a program of the laptop', async t => {
  const program = `require('node:http').createServer((q, s) => require('node:fs').createReadStream(${JSON.stringify(file('served'))}).pipe(s)).listen(${SERVED}, '127.0.0.1')`
  const server = spawnOnLaptop(process.execPath, ['-e', program])
  t.teardown(() => server.kill())
  const [pod] = await made('pods')
  const address = (await kubectl(['-n', 'demo', 'get', pod!, '-o', 'jsonpath={.status.podIP}'])).trim()
  const sum = (): Promise<string> =>
    inCluster(`curl -sS --max-time 60 http://${address}:${REMOTE}/ | sha256sum`).then(
      text => text.split(' ')[0] ?? '',
      (error: Error) => error.message
    )
  const wanted = sha256(knownBytes(MEBIBYTES, 'up'))
  t.is(await eventually(wanted, 10_000, sum), wanted)
})

test.serial('no shell, no command, no files', async t => {
  const session = ['-o', 'SessionType=default']
  for (const words of [['true'], []]) {
    const { code, stderr } = await laptop('ssh', [...onControl, ...session, 'kt', ...words], { env })
    t.is(code, 255)
    t.regex(stderr, /open failed|refused/)
  }
  const sftp = await laptop('ssh', [...onControl, ...session, '-s', 'kt', 'sftp'], { env })
  t.is(sftp.code, 255)
})

test.serial('a host key that kt has not written down is refused without a question', async t => {
  const { code, stderr } = await laptop(
    'ssh',
    ['-F', file('ssh_config'), '-o', 'UserKnownHostsFile=/dev/null', '-o', 'BatchMode=no', 'kt'],
    { env }
  )
  t.is(code, 255)
  t.regex(stderr, /No ED25519 host key is known for kt and you have requested strict checking/)
})

test.serial('with --shell, commands: their input, output and exit code', async t => {
  const bytes = randomBytes(2 ** 20)
  const words = ['-F', file('ssh_config'), 'kt-sh', 'sha256sum; echo wrong >&2; exit 3']
  const { code, stdout, stderr } = await laptop('ssh', words, { env, input: bytes })
  t.is(stdout.split(' ')[0], createHash('sha256').update(bytes).digest('hex'), stderr)
  t.is(stderr, 'wrong\n')
  t.is(code, 3)
})

test.serial('when ssh ends, pod and host key are gone', async t => {
  main!.kill()
  const left = async (): Promise<string> => {
    return `${(await made('pods,configmaps')).join(' ')}${readFileSync(file('ssh/known_hosts'), 'utf8')}`
  }
  t.is(await eventually('', 20_000, left), '')
})
