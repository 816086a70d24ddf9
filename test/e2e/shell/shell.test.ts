// kt shell as a user without any rights: every program in it has the cluster on its network, and nothing else is changed.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { serviceAddress } from '../_support/demo.ts'
import { startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { muslResolver } from '../names/_support/musl.ts'
import { quantile } from '../up/_support/statistics.ts'
import { makeShellUser, type ShellUser, UID } from './_support/user.ts'

const OUTSIDE = new URL('peers/outside.peer.ts', import.meta.url).pathname
const LIMIT_MS = 30_000
/** The goal is 0.8; a busy machine makes two runs of the same thing differ by more than the rest. */
const LEAST_SHARE = 0.6
const ROUNDS = 3
const CURL = `curl -sS -g -o "$HOME/page" --max-time 10 -w '%{http_code}\\n'`

let user: ShellUser
test.before(async () => {
  user = await makeShellUser()
})
test.after.always(() => user.remove())

/** The lines that `script` prints in a shell of its own. */
async function lines(script: string): Promise<string[]> {
  const { code, stdout, stderr } = await user.shell(['--', 'sh', '-c', script])
  if (code !== 0 || stderr !== '') throw new Error(`exit code ${code}\n${stdout}${stderr}`)
  return stdout.trimEnd().split('\n')
}

/** Ids of the user's processes. */
function processes(): string[] {
  const own = new RegExp(`^Uid:\\s${UID}\\s`, 'm')
  return readdirSync('/proc').filter(name => /^\d+$/.test(name) && own.test(told(name, 'status')))
}

/** What /proc says of a process; nothing when it has gone meanwhile. */
function told(pid: string, file: 'status' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

async function becomes(condition: () => boolean): Promise<boolean> {
  for (let waited = 0; waited < LIMIT_MS && !condition(); waited += 50) await delay(50)
  return condition()
}

test.serial('names and addresses of the cluster, for static programs, too; refusals stay refusals', async t => {
  const address = await serviceAddress('nginx')
  const program = join(user.home, 'resolve')
  await copyFile(await muslResolver(), program)
  t.deepEqual(
    await lines(`for host in nginx.demo nginx ${address} nginx.demo.svc.cluster.local; do ${CURL} http://$host; done
getent ahostsv4 nginx | awk '{ print $1; exit }'
${program} nginx.demo
dig +short @10.96.0.10 nginx.demo.svc.cluster.local
curl -sS -o /dev/null --max-time 10 http://nginx:81 2>/dev/null; echo refused: $?
getent ahostsv4 no-such-service; echo missing: $?`),
    ['200', '200', '200', '200', address, address, address, 'refused: 7', 'missing: 2']
  )
})

test.serial('everything else of the laptop as without kt: names, TCP, UDP; its loopback by an address', async t => {
  const outside = spawnOnLaptop(process.execPath, [OUTSIDE])
  t.teardown(() => outside.kill())
  const [said] = (await once(outside.stdout, 'data')) as [Buffer]
  const own = String(said).trim()
  const get = (host: string): string => `curl -sS --max-time 10 http://${host}:18080; echo`
  const probe = `const s = require('dgram').createSocket('udp4'); s.on('message', m => { console.log(String(m)); s.close() }); s.send('echo', 18081, '${own}')`
  t.deepEqual(
    await lines(`${get(own)}; ${get('198.18.0.3')}
curl -sS -o /dev/null http://127.0.0.1:18080 2>/dev/null; echo $?
curl -sS -o /dev/null http://${own}:18082 2>/dev/null; echo $?
getent ahostsv4 www.example.test | awk '{ print $1; exit }'
node -e "${probe}"
kubectl --kubeconfig ${user.home}/kubeconfig get service nginx -o name -n demo`),
    ['outside', 'loopback', '7', '7', '192.0.2.11', 'echo', 'service/nginx']
  )
})

test.serial('the program is the user it was, where it was; exit codes are its own', async t => {
  const { code, stdout, stderr } = await user.shell([
    ...[
      '--',
      'sh',
      '-c',
      'id -u; id -g; stat -c %u "$HOME"; pwd; echo $KT_SHELL; grep CapEff /proc/self/status; exit 7'
    ]
  ])
  t.deepEqual([code, stderr], [7, ''])
  const [uid, gid, owner, directory, session, rights] = stdout.split('\n')
  t.deepEqual([uid, gid, owner, directory], [`${UID}`, `${UID}`, `${UID}`, process.cwd()])
  t.regex(session ?? '', /\/demo$/)
  t.regex(rights ?? '', /\t0+$/)
  t.is((await user.shell(['--', '/no/such/program'])).code, 127)
})

test.serial('SIGTERM is for the program, whose end is that of kt', async t => {
  const script = 'trap "echo told; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
  const kt = user.start(['--', 'sh', '-c', script])
  const stdout = collect(kt.stdout)
  const ended = once(kt, 'close') as Promise<[number | null]>
  t.true(await becomes(() => stdout().includes('ready')))
  kt.kill('SIGTERM')
  t.deepEqual([(await ended)[0], stdout()], [3, 'ready\ntold\n'])
})

test.serial('Ctrl-C before the program has begun: it does not run, and that is no success', async t => {
  const kt = user.start(['--', 'echo', 'has run'])
  const stdout = collect(kt.stdout)
  const ended = once(kt, 'close') as Promise<[number | null]>
  const holds = (pid: string): boolean => told(pid, 'cmdline').startsWith('sh\0')
  t.true(await becomes(() => processes().some(holds)), 'the namespaces are there')
  kt.kill('SIGINT')
  t.deepEqual([(await ended)[0], stdout()], [130, ''])
})

test.serial('an interactive shell at a terminal: jobs, Ctrl-C, exit', async t => {
  const terminal = user.atTerminal([])
  const shown = collect(terminal.stdout)
  const ended = once(terminal, 'close') as Promise<[number | null]>
  const type = async (text: string, until: RegExp): Promise<void> => {
    terminal.stdin.write(text)
    if (!(await becomes(() => until.test(shown())))) throw new Error(`${until} is not in:\n${shown()}`)
  }
  await type('', /All looks good[\s\S]*\$ /)
  await type(`test -t 0 && ${CURL} http://nginx.demo\n`, /\n200/)
  await type('sleep 60; echo "sl""ept"\n', /slept"\r\n|sl""ept/)
  await type('\u0003', /\^C[\s\S]*\$ /)
  await type('echo still" "here; exit 5\n', /\nstill here/)
  t.is((await ended)[0], 5)
})

test.serial('two at once, with the same addresses, in different namespaces', async t => {
  const other = user.shell([
    '-n',
    'default',
    '--',
    'sh',
    '-c',
    `getent hosts nginx; echo $?; ${CURL} http://nginx.demo; cat /etc/resolv.conf`
  ])
  const [one, two] = await Promise.all([lines(`${CURL} http://nginx; sleep 1; ${CURL} http://nginx`), other])
  t.deepEqual(one, ['200', '200'])
  t.regex(two.stdout, /^2\n200\n[\s\S]*search default\.svc\.cluster\.local/)
})

test.serial('as fast as kt up', async t => {
  // The server takes one client at a time, and a moment to be ready for the next one.
  const run = `for try in 1 2 3 4 5; do out=$(iperf3 -c iperf3 -J -t 2 -R); case $out in *'"error"'*) sleep 0.5;; *) break;; esac; done; echo "$out" | tr -d '\\n'`
  const inside = user.start(['--', 'sh', '-c', `echo ready; while read -r next; do ${run}; echo; done`])
  const said = createInterface({ input: inside.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => String((await said.next()).value)
  t.is(await line(), 'ready')
  const kt = await startKt(['-n', 'demo'])
  const rates: Record<'shell' | 'up', number[]> = { shell: [], up: [] }
  try {
    // In turn, so that what else the machine does is shared.
    for (let i = 0; i < ROUNDS; i++) {
      rates.up.push(received((await laptop('sh', ['-c', run])).stdout))
      inside.stdin.write('next\n')
      rates.shell.push(received(await line()))
    }
  } finally {
    inside.stdin.end()
    await Promise.all([kt.stop(), once(inside, 'close')])
  }
  const share = quantile(rates.shell, 0.5) / quantile(rates.up, 0.5)
  const list = (numbers: number[]): string => numbers.map(Math.round).join(', ')
  t.log(`kt shell ${list(rates.shell)} Mbit/s, kt up ${list(rates.up)} Mbit/s: ${share.toFixed(2)}`)
  t.true(share >= LEAST_SHARE, `${share.toFixed(2)} of kt up`)
})

/** Mbit/s in the JSON of iperf3. */
function received(json: string): number {
  const { end, error } = JSON.parse(json) as { end: { sum_received?: { bits_per_second: number } }; error?: string }
  if (end.sum_received === undefined) throw new Error(error ?? json)
  return end.sum_received.bits_per_second / 1e6
}

test.serial('nothing is left: no process, no namespace, no file, no pod; kill -9 included', async t => {
  t.true(await becomes(() => processes().length === 0))
  t.is(await kubectl(['-n', 'demo', 'get', 'pods,configmaps', '-o', 'name', '-l', 'kt-role=shadow']), '')
  t.deepEqual(
    readdirSync(user.home).filter(name => name.startsWith('kt-')),
    []
  )
  const kt = user.start(['--', 'sh', '-c', 'echo ready; exec cat'])
  const stdout = collect(kt.stdout)
  t.true(await becomes(() => stdout().includes('ready')))
  t.regex((await laptop('ip', ['-brief', 'link'])).stdout, /^(?![\s\S]*kt0)/)
  kt.kill('SIGKILL')
  kt.stdin.end()
  t.true(await becomes(() => processes().length === 0))
  t.is((await user.shell(['--', 'true'])).code, 0)
  t.deepEqual(readdirSync(`${user.home}/.kt/run`), [])
  await kubectl(['-n', 'demo', 'delete', 'pods,configmaps', '-l', 'kt-role=shadow', '--wait=false'])
})
