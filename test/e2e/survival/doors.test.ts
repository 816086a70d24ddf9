// A real run, looked at from outside: where its private key is not, whose its files are, and what the agent's pod offers to others.
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { inCluster } from '../_support/demo.ts'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'

/** With sudo the environment says who typed the command; Debian's user `nobody`. */
const INVOKER = { SUDO_UID: '65534', SUDO_GID: '65534', SUDO_USER: 'nobody' }
/** Of a PEM; and the beginning of an Ed25519 key in PKCS #8 (RFC 8410 §7), as base64 and as hexadecimal digits. */
const PRIVATE = /PRIVATE KEY|MC4CAQAwBQYDK2VwBCIEI|302e020100300506032b657004220420/i
/** Files and processes are looked at up to here, bytes. */
const LOOK_BYTES = 2 ** 20

const home = mkdtempSync(join(tmpdir(), 'kt-doors-'))
let running: RunningKt | undefined

test.before(async () => {
  running = await startKt(['--namespace', 'demo', '--debug', '--exchange', 'nginx:18182:80', '--skipPortChecking'], {
    env: { KT_HOME: join(home, 'kt'), ...INVOKER }
  })
})
test.after.always(async () => {
  await running?.stop()
  rmSync(home, { recursive: true })
})

/** All files and directories below a directory. */
function below(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).map(name => join(directory, name))
}

test.serial('everything in the state directory belongs to the user who called sudo, and to nobody else', t => {
  const found = below(join(home, 'kt'))
  t.true(found.some(path => path.endsWith('.sock')))
  t.true(found.some(path => path.endsWith('.journal')))
  for (const path of [join(home, 'kt'), ...found]) {
    const { uid, mode } = lstatSync(path)
    t.is(uid, Number(INVOKER.SUDO_UID), path)
    t.is(mode & 0o777, lstatSync(path).isDirectory() ? 0o700 : 0o600, path)
  }
})

test.serial('the private key is in no file, no log, no command line and no environment of this computer', t => {
  const files = below(join(home, 'kt')).filter(path => lstatSync(path).isFile())
  for (const path of files) t.notRegex(readFileSync(path, 'latin1').slice(0, LOOK_BYTES), PRIVATE, path)
  t.notRegex(running!.output(), PRIVATE)
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    t.notRegex(read(`/proc/${pid}/cmdline`), PRIVATE, pid)
  }
  t.notRegex(read(`/proc/${running!.pid}/environ`), PRIVATE)
})

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').slice(0, LOOK_BYTES)
  } catch {
    return '' // the process has ended
  }
}

test.serial('nor is it in any object or log of the cluster', async t => {
  const kinds = 'pods,configmaps,services,secrets,events,endpointslices'
  t.notRegex(await kubectl(['-n', 'demo', 'get', kinds, '-o', 'json']), PRIVATE)
  const pods = (await kubectl(['-n', 'demo', 'get', 'pods', '-l', 'control-by=kt', '-o', 'name'])).trim().split('\n')
  t.true(pods.length >= 2) // one that a test has killed may still be there
  for (const pod of pods) t.notRegex(await kubectl(['-n', 'demo', 'logs', pod]), PRIVATE)
})

test.serial('in its pod the agent listens for the session on loopback only', async t => {
  const path = 'jsonpath={range .items[*]}{.status.podIP}{"\\n"}{end}'
  const addresses = (await kubectl(['-n', 'demo', 'get', 'pods', '-l', 'control-by=kt', '-o', path])).trim().split('\n')
  for (const address of addresses) {
    const said = await inCluster(`nc -w 2 ${address} 7070 </dev/null >/dev/null 2>&1 && echo open || echo shut`)
    t.is(said.trim(), 'shut', address)
  }
})
