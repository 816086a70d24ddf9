// IPv6 goes the same way as IPv4: services and pods by address and name, TCP, UDP and ping, on a dual-stack cluster.
import test from 'ava'
import { podAddresses, serviceAddress } from '../_support/demo.ts'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { builtIn, type Finished, type LaptopOptions, laptop } from '../_support/laptop.ts'
import { knownBytes, sha256 } from './_support/known-bytes.ts'
import { pods } from './_support/pods.ts'
import { peerOf, succeed } from './_support/program.ts'

const DUAL: LaptopOptions = { cluster: 'dual-stack' }
const dual = builtIn ? test.serial : test.serial.skip
let kt: RunningKt | undefined
let routesBefore = ''

const program = (command: string, ...args: string[]): Promise<string> => succeed(DUAL, command, ...args)
const curl = (...args: string[]): Promise<Finished> => laptop('curl', ['-sS', '--max-time', '10', ...args], DUAL)
const service = (name: string): Promise<string> => serviceAddress(name, 6, DUAL)

async function podAddress(app: string): Promise<string> {
  const [first] = await podAddresses(app, 6, DUAL)
  if (first === undefined) throw new Error(`no pod of ${app}`)
  return first
}

test.before(async () => {
  if (!builtIn) return
  routesBefore = await program('ip', '-6', 'route', 'show', 'table', 'all')
  kt = await startKt(['--namespace', 'demo'], DUAL)
})
test.after.always(async () => {
  await kt?.stop()
})

dual('the ranges of both families are routed', async t => {
  const routes = await program('ip', '-6', 'route', 'show', 'dev', 'kt0')
  t.regex(routes, /^fd10:96::\/112 /m)
  t.regex(routes, /^fd10:244:0:1::\/64 /m)
  t.regex(await program('ip', '-4', 'route', 'show', 'dev', 'kt0'), /^10\.96\.0\.0\/16 /m)
})

dual('a service and each of its pods by their addresses', async t => {
  t.regex((await curl(`http://[${await service('nginx')}]/`)).stdout, /^nginx nginx-/)
  for (const { name, addresses } of await pods('nginx', 'dual-stack')) {
    const address = addresses.find(each => each.includes(':'))
    const [, answering, at] = (await curl(`http://[${address}]/`)).stdout.split(' ')
    t.deepEqual([answering, at], [name, address])
  }
})

dual('names: AAAA and PTR records, and programs that prefer IPv6', async t => {
  const address = await service('nginx')
  const dig = async (...args: string[]): Promise<string> => (await program('dig', '+short', '+time=5', ...args)).trim()
  t.is(await dig('nginx.demo.svc.cluster.local', 'AAAA'), address)
  t.is(await dig('nginx.demo.svc.cluster.local', 'A'), await serviceAddress('nginx', 4, DUAL))
  t.is(await dig('-x', address), 'nginx.demo.svc.cluster.local.')
  t.is((await program('getent', 'ahostsv6', 'nginx')).split(/\s/)[0], address)
  for (const host of ['nginx', 'nginx.demo', 'nginx.demo.svc.cluster.local']) {
    t.regex((await curl('-6', `http://${host}/`)).stdout, /^nginx nginx-\S+ fd10:/, host)
    t.regex((await curl('-4', `http://${host}/`)).stdout, /^nginx nginx-\S+ 10\./, host)
  }
})

dual('a service that has IPv6 only', async t => {
  const answer = JSON.parse((await curl('http://node-echo-v6/')).stdout) as { remote: string }
  t.regex(answer.remote, /^fd10:244:/)
  t.regex(await program('dig', '+time=5', 'node-echo-v6.demo.svc.cluster.local', 'A'), /status: NOERROR.*ANSWER: 0,/s)
})

dual('headless: AAAA of every pod, and a StatefulSet pod by name', async t => {
  const found = await program('dig', '+short', '+time=5', 'nginx-headless.demo.svc.cluster.local', 'AAAA')
  const sorted = (list: string[]): string[] => [...list].sort((a, b) => a.localeCompare(b))
  t.deepEqual(sorted(found.trim().split('\n')), sorted(await podAddresses('nginx', 6, DUAL)))
  const answer = JSON.parse((await curl('-6', 'http://web-1.web:8080/')).stdout) as { pod: string }
  t.is(answer.pod, 'web-1')
})

dual('16 MiB down and up arrive unchanged', async t => {
  const bytes = knownBytes(16, 'ipv6')
  const [sum] = (
    await program('sh', '-c', "curl -6 -sS --max-time 60 'http://node-echo/random?mb=16&seed=ipv6' | sha256sum")
  ).split(' ')
  t.is(sum, sha256(bytes))
  const upload = ['curl', '-6', '-sS', '--max-time', '60', '--data-binary', '@-', 'http://node-echo/upload'] as const
  const answer = await succeed({ ...DUAL, input: bytes }, ...upload)
  t.like(JSON.parse(answer), { bytes: bytes.length, sha256: sha256(bytes) })
})

dual('UDP: datagrams of any size come back as they were', async t => {
  const sizes = [1, 512, 1452, 1453, 8000, 60_000]
  for (const host of [await service('node-echo'), await podAddress('node-echo')]) {
    const answers = await peerOf<{ size: number; outcome: string }[]>('dual-stack', 'udp', host, 7000, ...sizes)
    t.deepEqual(
      answers.map(({ size, outcome }) => `${size} ${outcome}`),
      sizes.map(size => `${size} echoed`),
      host
    )
  }
})

dual('a closed port is refused, an address that nobody has never connects', async t => {
  const outcomes = async (host: string, port: number): Promise<string[]> => {
    type Attempts = { attempts: { outcome: string }[] }
    const { attempts } = await peerOf<Attempts>('dual-stack', 'connects', host, port, 2, 100, 4000)
    return attempts.map(({ outcome }) => outcome)
  }
  t.deepEqual(await outcomes(await podAddress('node-echo'), 9), ['ECONNREFUSED', 'ECONNREFUSED'])
  t.deepEqual(await outcomes(await service('node-echo'), 7000), ['echoed', 'echoed'])
  for (const host of ['fd10:244:0:1::dead', 'fd10:96::dead']) {
    for (const outcome of await outcomes(host, 80)) t.regex(outcome, /^(timeout|EHOSTUNREACH|ENETUNREACH)$/, host)
  }
})

dual('ping: a pod that lives answers, an address that nobody has does not', async t => {
  const ping = ['-6', '-n', '-i', '0.3', '-W', '3', '-c', '3']
  t.is((await laptop('ping', [...ping, await podAddress('node-echo')], DUAL)).code, 0)
  const { code, stdout } = await laptop('ping', [...ping, 'fd10:244:0:1::dead'], DUAL)
  t.is(code, 1, stdout)
  t.regex(stdout, / 0 received/)
})

dual('afterwards the routes are as before', async t => {
  const ended = await kt!.stop()
  t.is(ended.code, 0, ended.stderr)
  t.is(await program('ip', '-6', 'route', 'show', 'table', 'all'), routesBefore)
})
