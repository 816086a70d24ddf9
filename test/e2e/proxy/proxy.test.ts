// kt up --socks as a user without any rights: curl, ssh, a browser, and every word of the command line.
import { mkdtempSync } from 'node:fs'
import { chown, copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { serviceAddress } from '../_support/demo.ts'
import { imageArguments, KT, kt, READY_LINE, type RunningKt, startCommand } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { kubeconfig, laptop } from '../_support/laptop.ts'

const peer = (name: string): string => join(import.meta.dirname, `peers/${name}.peer.ts`)
/** nobody, on every Linux. */
const NOBODY = 65_534
const PROXY = '127.0.0.1:2223'
let running: RunningKt | undefined

async function start(...args: string[]): Promise<RunningKt> {
  const home = mkdtempSync(join(tmpdir(), 'kt-nobody-'))
  const file = join(home, 'kubeconfig')
  await copyFile(kubeconfig(), file)
  for (const path of [home, file]) await chown(path, NOBODY, NOBODY)
  const through = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--bounding-set=-all', '--']
  const env = { KT_HOME: home, HOME: home }
  running = await startCommand(['up', '-n', 'demo', '-c', file, ...args], READY_LINE, { through, env })
  inHome = env
  return running
}
let inHome: Record<string, string> = {}

async function stop(): Promise<void> {
  await running?.stop()
  running = undefined
}
test.afterEach.always(stop)

/** `status exit-code-of-curl`. */
async function curl(...args: string[]): Promise<string> {
  const fixed = ['-sS', '-g', '-o', '/dev/null', '--max-time', '10', '-w', '%{http_code}']
  const { stdout, code } = await laptop('curl', [...fixed, ...args])
  return `${stdout} ${code}`
}

test.serial('curl by every protocol: names, short names, addresses; refusals stay refusals', async t => {
  await start('--socks')
  const address = await serviceAddress('nginx')
  const ways = [
    ['--socks5-hostname', PROXY],
    ['--socks4a', PROXY],
    ['-x', `http://${PROXY}`],
    ['-p', '-x', `http://${PROXY}`]
  ]
  for (const way of ways) {
    for (const host of ['nginx', 'nginx.demo', 'nginx.demo.svc.cluster.local', 'web-0.web', address])
      t.is(await curl(...way, `http://${host}${host.startsWith('web') ? ':8080' : ''}/`), '200 0', `${way} ${host}`)
  }
  t.is(await curl('--socks5', PROXY, `http://${address}/`), '200 0')
  t.is(await curl('--socks4', PROXY, `http://${address}/`), '200 0')
  t.is(await curl('-x', `http://${PROXY}`, 'http://nobody/'), '502 0')
  t.is(await curl('-x', `http://${PROXY}`, 'http://no-such.demo.svc/'), '502 0')
  const refused = await laptop('curl', ['-sS', '--socks5-hostname', PROXY, 'http://nobody/'])
  t.regex(refused.stderr, /\(5\)/, 'RFC 1928: connection refused')
})

test.serial(
  'the environment of kt env --proxy leads programs there, and away again; kt status and kt dns know it',
  async t => {
    await start('--socks')
    const own = { env: inHome }
    const { stdout } = await kt(['env', '--proxy'], own)
    const answer = await laptop('sh', ['-c', `${stdout}\ncurl -sS -o /dev/null -w %{http_code} http://nginx/`], own)
    t.is(answer.stdout, '200', answer.stderr)
    const node = `fetch('http://nginx/').then(a => console.log(a.status), e => console.log(e.cause.message))`
    t.is((await laptop('sh', ['-c', `${stdout}\nexec "$0" -e "${node}"`, process.execPath], own)).stdout, '200\n')
    const unset = await kt(['env', '--proxy', '--unset'], own)
    const left = await laptop('sh', ['-c', `${stdout}\n${unset.stdout}\nenv | grep -i _proxy=`], own)
    t.is(left.stdout, '')
    t.regex((await kt(['status'], own)).stdout, /^kt up --socks: connected/)
    t.is((await kt(['dns', 'nginx'], own)).code, 0)
    await stop()
    const after = await kt(['env', '--proxy'], own)
    t.is(`${after.code} ${after.stderr.split('\n')[0]}`, '3 kt: kt up --socks does not run here: there is no proxy')
  }
)

test.serial('kt-connect’s words, a port of one’s own for HTTP, and an address of one’s own', async t => {
  await start('--disableTunDevice', '--proxyPort', '12223', '--proxyAddr', '127.0.0.2', '--http', '18118')
  t.is(await curl('--socks5-hostname', '127.0.0.2:12223', 'http://nginx/'), '200 0')
  t.is(await curl('-x', 'http://127.0.0.2:18118', 'http://nginx/'), '200 0')
  t.is(await curl('-x', 'http://127.0.0.1:18118', 'http://nginx/'), '000 7', 'nothing listens elsewhere')
  const second = await kt(['up', '--socks', '12223', '--proxyAddr', '127.0.0.2', ...imageArguments()], { env: inHome })
  t.is(`${second.code} ${second.stderr.split('\n')[0]}`, '2 kt: port 12223 of this computer is taken')
  const ended = await running!.stop()
  t.is(ended.code, 0)
  t.is((await kubectl(['-n', 'demo', 'get', 'pods,configmaps', '-l', 'control-by=kt', '-o', 'name'])).trim(), '')
})

test.serial('other names and addresses go directly; datagrams go to the cluster', async t => {
  await start('--socks')
  const { stdout, stderr, code } = await laptop(process.execPath, [peer('outside'), PROXY])
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { socks: 'outside', http: 'outside', udp: 1, direct: 'echo' })
})

test.serial('ssh through it to a service that is on the laptop, by SOCKS and by CONNECT', async t => {
  await start('--socks', '--preview', 'kt-ssh-target:18022:22', '--skipPortChecking')
  const { stdout, stderr, code } = await laptop(process.execPath, [peer('ssh'), PROXY, 'kt-ssh-target.demo', '18022'])
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { '5': 'ran: true', connect: 'ran: true' })
})

test.serial('Chromium with proxy.pac: the cluster by name and address, everything else as without', async t => {
  if ((await laptop('sh', ['-c', 'command -v chromium'])).code !== 0) {
    t.log('skipped: there is no chromium here (apt-get install chromium)')
    return t.pass()
  }
  await start('--socks')
  const { stdout, stderr, code } = await laptop(process.execPath, [
    peer('browser'),
    PROXY,
    await serviceAddress('nginx')
  ])
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), {
    nginx: 200,
    'nginx.demo': 200,
    'nginx.demo.svc.cluster.local': 200,
    address: 200,
    outside: 'outside',
    proxyServer: 200
  })
})

test.serial('kt up --socks -- CMD: a program with the proxy in its environment', async t => {
  const words = ['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', 'http://nginx/']
  const { code, stdout, stderr } = await kt(['up', '--socks', '-n', 'demo', ...imageArguments(), '--', ...words])
  t.is(`${code} ${stdout}`, '0 200', stderr)
})

test.serial('what cannot be is said before anything is made', async t => {
  const said = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await laptop(process.execPath, [KT, 'up', ...args, ...imageArguments()])
    return `${code} ${stderr.split('\n')[0]}`
  }
  t.regex(await said('--socks', '70000'), /^2 kt: .*a port is expected/)
  t.regex(await said('--socks', '--includeIps', 'x'), /^2 kt: --includeIps: 'x' is neither/)
})
