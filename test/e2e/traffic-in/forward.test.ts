// kt forward: ports of the laptop that lead into the cluster. No TUN, no root, no `kt up`.
import { mkdtempSync } from 'node:fs'
import { chown, copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { serviceAddress } from '../_support/demo.ts'
import { imageArguments, kt, type RunningKt, startCommand } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { kubeconfig, laptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'

const GET_PEER = join(import.meta.dirname, 'peers/get.peer.ts')
const READY = 'Now you can access port'
/** nobody, on every Linux. */
const NOBODY = 65_534
let running: RunningKt | undefined

async function forward(...args: string[]): Promise<RunningKt> {
  running = await startCommand(['forward', '-n', 'demo', ...args], READY)
  return running
}

async function status(url: string): Promise<string> {
  const args = ['-sS', '-g', '-o', '/dev/null', '--max-time', '10', '-w', '%{http_code}', url]
  return (await laptop('curl', args)).stdout
}

/** What kt has in the namespace, but for `others`: what an earlier area has left there. */
async function shadows(others: readonly string[] = []): Promise<string[]> {
  const found = await kubectl(['-n', 'demo', 'get', 'pods,configmaps', '-l', 'control-by=kt', '-o', 'name'])
  return found.split('\n').filter(name => name !== '' && !others.includes(name))
}

test.afterEach.always(async () => {
  await running?.stop()
  running = undefined
})

test.serial(
  'a service, by both names of this computer, with kt-connect’s words; Ctrl-C puts everything back',
  async t => {
    const before = await shadows()
    const kt = await forward('nginx', '18080:80')
    t.true(kt.output().includes("Now you can access port 80 of service 'nginx' via 'localhost:18080'"))
    for (const host of ['127.0.0.1', '[::1]', 'localhost']) t.is(await status(`http://${host}:18080/`), '200', host)
    t.is((await laptop(process.execPath, [GET_PEER, 'http://127.0.0.1:18080/', '200'])).stdout, '200\n')
    const ended = await kt.stop()
    t.is(ended.code, 0)
    t.deepEqual(await shadows(before), [])
    t.is(await status('http://127.0.0.1:18080/'), '000')
  }
)

test.serial('a service with one port needs none, and takes another local one alone', async t => {
  await forward('nginx')
  t.is(await status('http://127.0.0.1/'), '200')
  await running?.stop()
  await forward('svc/nginx', '18081')
  t.is(await status('http://127.0.0.1:18081/'), '200')
})

test.serial(
  'several ports at once, by number and by name; also of a headless service, whose ports nobody translates',
  async t => {
    await forward('node-echo', '18080:80,17000:7000')
    t.is(await status('http://127.0.0.1:18080/'), '200')
    const bytes = await laptop('sh', ['-c', 'head -c 20000000 /dev/zero | nc -q 2 127.0.0.1 17000 | wc -c'])
    t.is(bytes.stdout.trim(), '20000000', bytes.stderr)
    await running?.stop()
    await forward('nginx-headless', '18082:http')
    t.is(await status('http://127.0.0.1:18082/'), '200')
  }
)

/** What UDP port `port` of this computer answers to `text`, from a socket of its own. */
async function udp(port: number, text: string): Promise<string> {
  const script = `
    const s = require('node:dgram').createSocket('udp4')
    const done = answer => { console.log(answer); s.close(); clearTimeout(timer) }
    const timer = setTimeout(() => done('silence'), 3000)
    s.on('message', m => done(String(m))); s.on('error', e => done(e.code)); s.send('${text}', ${port}, '127.0.0.1')`
  return (await laptop(process.execPath, ['-e', script])).stdout.trim()
}

test.serial(
  'UDP beside TCP: datagrams of several callers, also through a new agent; the DNS of the cluster',
  async t => {
    const kt = await forward('node-echo', '17100:7000/udp,17100:7000')
    t.true(kt.output().includes("Now you can access port 7000/udp of service 'node-echo' via 'localhost:17100'"))
    t.deepEqual(await Promise.all(['a', 'b', 'c'].map(text => udp(17_100, text))), ['a', 'b', 'c'])
    t.is((await laptop('sh', ['-c', 'echo hello | nc -q 1 127.0.0.1 17100'])).stdout, 'hello\n')
    await kubectl(['-n', 'demo', 'delete', 'pod', '-l', 'control-by=kt', '--wait'])
    t.is(await eventually('again', 40_000, () => udp(17_100, 'again')), 'again', kt.output())
    await running?.stop()
    const dns = await forward('-n', 'kube-system', 'kube-dns', '15353:53/udp')
    const script = `
    const r = new (require('node:dns').Resolver)({ timeout: 3000 }); r.setServers(['127.0.0.1:15353'])
    r.resolve4('nginx.demo.svc.cluster.local', (e, found) => console.log(e?.code ?? found.join()))`
    const { stdout } = await laptop(process.execPath, ['-e', script])
    t.is(stdout.trim(), await serviceAddress('nginx'), dns.output())
  }
)

test.serial('a service whose pods are all replaced: the next connection reaches the new ones', async t => {
  await forward('nginx', '18090:80')
  t.is(await status('http://127.0.0.1:18090/'), '200')
  await kubectl(['-n', 'demo', 'rollout', 'restart', 'deployment/nginx'])
  await kubectl(['-n', 'demo', 'rollout', 'status', 'deployment/nginx', '--timeout=50s'])
  // kube-proxy on a busy node hears of the new pods late.
  t.is(await eventually('200', 20_000, () => status('http://127.0.0.1:18090/')), '200', running?.output())
})

test.serial('a pod, also after it was made anew; a workload; a host name and an address', async t => {
  await forward('pod/web-0', '18083:8080')
  t.is(await status('http://127.0.0.1:18083/'), '200')
  await kubectl(['-n', 'demo', 'delete', 'pod', 'web-0', '--wait'])
  t.is(await eventually('200', 30_000, () => status('http://127.0.0.1:18083/')), '200', running?.output())
  await running?.stop()
  for (const target of ['deploy/nginx', 'statefulset/web', 'web-1.web.demo']) {
    const port = target === 'deploy/nginx' ? 'http' : '8080'
    await forward(target, `18084:${port}`)
    t.is(await status('http://127.0.0.1:18084/'), '200', target)
    await running?.stop()
  }
  for (const target of [await serviceAddress('nginx'), 'host/nginx']) {
    await forward(target, '18085:80')
    t.is(await status('http://127.0.0.1:18085/'), '200', target)
    await running?.stop()
  }
})

test.serial('what the target refuses is reset, and said', async t => {
  await forward('nobody', '18086:80')
  const { stderr } = await laptop('curl', ['-sS', '--max-time', '10', 'http://127.0.0.1:18086/'])
  t.regex(stderr, /reset by peer/)
  t.true(await eventually(true, 5_000, async () => running!.output().includes("service 'nobody':80: refused")))
})

test.serial('a shadow pod that is lost is made again', async t => {
  await forward('nginx', '18087:80')
  await kubectl(['-n', 'demo', 'delete', 'pod', '-l', 'control-by=kt', '--wait'])
  t.is(await eventually('200', 40_000, () => status('http://127.0.0.1:18087/')), '200', running?.output())
})

test.serial('without root', async t => {
  const home = mkdtempSync(join(tmpdir(), 'kt-nobody-'))
  const file = join(home, 'kubeconfig')
  await copyFile(kubeconfig(), file)
  for (const path of [home, file]) await chown(path, NOBODY, NOBODY)
  const through = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
  const env = { KT_HOME: home, HOME: home }
  running = await startCommand(['forward', '-n', 'demo', '-c', file, 'nginx', '18088:80'], READY, { through, env })
  t.is(await status('http://127.0.0.1:18088/'), '200')
})

test.serial('what cannot be is said before anything is made', async t => {
  const before = await shadows()
  const said = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await kt(['forward', '-n', 'demo', ...imageArguments(), ...args])
    return `${code} ${stderr.split('\n')[0]}`
  }
  t.is(await said('no-such-service', '80'), '4 kt: there is no service "no-such-service" in namespace demo')
  t.is(await said('nginx', '8080:81'), "2 kt: service 'nginx' has no TCP port 81; it has: http 80 → http")
  t.regex(await said('node-echo'), /^2 kt: which port of service 'node-echo'\?; it has: /)
  t.is(await said('nginx', '8080:80/udp'), "2 kt: service 'nginx' has no UDP port 80; it has: http 80 → http")
  t.is(await said('nginx', '8080:80:1'), '2 kt: "8080:80:1" is no pair of ports')
  t.is(await said('10.96.0.1'), '2 kt: which port of 10.96.0.1?')
  await forward('nginx', '18089:80')
  t.is(await said('nginx', '18089:80'), '2 kt: port 18089 of this computer is taken')
  await running?.stop()
  t.deepEqual(await shadows(before), [])
})
