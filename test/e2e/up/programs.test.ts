// Unmodified programs on a laptop that `kt up` has joined to the cluster: each does what it does inside of the cluster.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { serviceAddress } from '../_support/demo.ts'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, laptop } from '../_support/laptop.ts'
import { eventually } from './_support/eventually.ts'
import { knownBytes, sha256 } from './_support/known-bytes.ts'
import { pod, pods } from './_support/pods.ts'
import { peer, program } from './_support/program.ts'
import { keepResolver } from './_support/resolver.ts'
import { listTree, makeTree } from './_support/tree.ts'

const TREE_FILES = 4000
const folder = mkdtempSync(join(tmpdir(), 'kt-programs-'))
let kt: RunningKt | undefined

let putBack = async (): Promise<void> => {}

test.before(async () => {
  if (builtIn) {
    putBack = await keepResolver()
    await program('sh', '-c', 'echo "search example.test" >> /etc/resolv.conf') // the company's
  }
  kt = await startKt(['--namespace', 'demo'])
})
test.after.always(async () => {
  await kt?.stop()
  await putBack()
  rmSync(folder, { recursive: true, force: true })
})

/** Equal lists whatever the order. */
const sorted = (list: string[]): string[] => [...list].sort((a, b) => a.localeCompare(b))

const NAMES = ['nginx', 'nginx.demo', 'nginx.demo.svc', 'nginx.demo.svc.cluster.local', 'nginx.demo.svc.cluster.local.']

test.serial('curl: a service by its address and by each of its names', async t => {
  const answering = (await pods('nginx')).map(({ name }) => name)
  for (const host of [await serviceAddress('nginx'), ...NAMES]) {
    const [what, name] = (await program('curl', '-sS', '--max-time', '10', `http://${host}/from/${host}`)).split(' ')
    t.is(what, 'nginx', host)
    t.true(answering.includes(name ?? ''), `${host}: ${name}`)
  }
})

test.serial('curl: each pod by its own address', async t => {
  for (const { name, addresses } of await pods('nginx')) {
    t.like((await program('curl', '-sS', '--max-time', '10', `http://${addresses[0]}/`)).split(' '), {
      0: 'nginx',
      1: name,
      2: addresses[0]
    })
  }
})

test.serial('curl: an upload of 16 MiB arrives unchanged', async t => {
  const bytes = knownBytes(16, 'upload')
  const file = join(folder, 'upload')
  writeFileSync(file, bytes)
  const answer = await program(
    'curl',
    '-sS',
    '--max-time',
    '60',
    '--data-binary',
    `@${file}`,
    'http://node-echo/upload'
  )
  t.like(JSON.parse(answer), { bytes: bytes.length, sha256: sha256(bytes) })
})

test.serial('wget: a download of 16 MiB arrives unchanged', async t => {
  const url = 'http://node-echo.demo/random?mb=16&seed=download'
  const [sum] = (await program('sh', '-c', `wget -q --timeout=60 --tries=1 -O - '${url}' | sha256sum`)).split(' ')
  t.is(sum, sha256(knownBytes(16, 'download')))
})

test.serial('dig: the records of a service, over UDP and TCP', async t => {
  const address = await serviceAddress('nginx')
  const dig = async (...args: string[]): Promise<string> =>
    (await program('dig', '+tries=1', '+time=5', ...args)).trim()
  const name = 'nginx.demo.svc.cluster.local'
  t.is(await dig('+short', name, 'A'), address)
  t.is(await dig('+short', '+tcp', name, 'A'), address)
  t.is(await dig('+short', `_http._tcp.${name}`, 'SRV'), `0 100 80 ${name}.`)
  t.is(await dig('+short', '-x', address), `${name}.`)
  t.is(await dig('+short', '+search', 'nginx', 'A'), address)
  const nodata = await dig(name, 'AAAA')
  t.regex(nodata, /status: NOERROR/)
  t.regex(nodata, /ANSWER: 0,/)
})

test.serial(
  "dig: a name that is not there does not exist; other names come from the laptop's own resolver",
  async t => {
    const dig = async (...args: string[]): Promise<string> => program('dig', '+tries=1', '+time=5', ...args)
    t.regex(await dig('no-such-service.demo.svc.cluster.local', 'A'), /status: NXDOMAIN/)
    t.regex(await dig('+tcp', 'no-such-service.demo.svc.cluster.local', 'A'), /status: NXDOMAIN/)
    t.is((await dig('+short', 'www.example.test', 'A')).trim(), '192.0.2.11')
    t.regex(await dig('a.slow.test', 'A'), /status: SERVFAIL/)
  }
)

test.serial('getent: short names, names of other namespaces, public names', async t => {
  const address = await serviceAddress('nginx')
  for (const name of NAMES.slice(0, 4)) t.is((await program('getent', 'ahostsv4', name)).split(/\s+/)[0], address, name)
  t.is((await program('getent', 'ahostsv4', 'kube-dns.kube-system')).split(/\s+/)[0], '10.96.0.10')
  t.is((await program('getent', 'ahostsv4', 'www.example.test')).split(/\s+/)[0], '192.0.2.11')
  t.is((await laptop('getent', ['hosts', 'no-such-service'])).code, 2)
})

const clusterOnly = builtIn ? test.serial : test.serial.skip

clusterOnly("the company's search list goes on working", async t => {
  t.is((await program('getent', 'ahostsv4', 'www')).split(/\s+/)[0], '192.0.2.11')
  t.is((await program('dig', '+short', '+search', '+time=5', 'www', 'A')).trim(), '192.0.2.11')
})

test.serial('headless services: all pods, and each StatefulSet pod by its name', async t => {
  const addresses = (await pods('nginx')).map(({ addresses }) => addresses[0]!)
  const found = (await program('dig', '+short', 'nginx-headless.demo.svc.cluster.local')).trim().split('\n')
  t.deepEqual(sorted(found), sorted(addresses))
  for (const host of ['web-0.web', 'web-1.web.demo', 'web-0.web.demo.svc.cluster.local']) {
    const answer = JSON.parse(await program('curl', '-sS', '--max-time', '10', `http://${host}:8080/`)) as {
      pod: string
    }
    t.is(answer.pod, host.slice(0, 5))
  }
})

test.serial('nc: what is answered after the end of the input arrives in full', async t => {
  const bytes = knownBytes(4, 'half-close')
  const file = join(folder, 'half-close')
  writeFileSync(file, bytes)
  t.is(await program('sh', '-c', `nc -N -w 20 sockets 7001 < ${file}`), `${bytes.length} ${sha256(bytes)}\n`)
})

test.serial('nc: a server that has said its last word still hears everything', async t => {
  const file = join(folder, 'half-close')
  const { name } = await pod('sockets')
  t.is(await program('sh', '-c', `(sleep 1; cat ${file}) | nc -N -w 20 sockets 7005`), 'hello\n')
  const heard = async (): Promise<boolean> => {
    const log = await kubectl(['-n', 'demo', 'logs', name, '--since=20s']) // the kubelet's probes are in there, too
    return log.split('\n').includes(`greeting read ${4 << 20}`)
  }
  t.true(await eventually(true, 5000, heard))
})

test.serial('a WebSocket client: text, a large binary message, a clean close', async t => {
  t.deepEqual(await peer('websocket', 'ws://node-echo.demo/chat', 2 << 20), {
    text: 'häl\u{1F600}lo',
    equal: true,
    code: 1000,
    reason: 'done',
    wasClean: true
  })
})

test.serial('redis-cli: single commands and 20,000 in one pipe', async t => {
  const redis = async (...args: string[]): Promise<string> =>
    (await program('redis-cli', '-h', 'redis', ...args)).trim()
  t.is(await redis('FLUSHALL'), 'OK')
  t.is(await redis('SET', 'greeting', 'hello from the laptop'), 'OK')
  t.is(await redis('GET', 'greeting'), 'hello from the laptop')
  const commands = Array.from({ length: 20_000 }, (_, index) => `SET key-${index} value-${index}\r\n`).join('')
  const { stdout } = await laptop('redis-cli', ['-h', 'redis', '--pipe'], { input: commands })
  t.regex(stdout, /errors: 0, replies: 20000/)
  t.is(await redis('DBSIZE'), '20001')
  t.is(await redis('GET', 'key-19999'), 'value-19999')
})

test.serial(`rsync: a tree of ${TREE_FILES} files there and back`, async t => {
  const [there, back] = [join(folder, 'there'), join(folder, 'back')]
  makeTree(there, TREE_FILES, 'rsync')
  await program('rsync', '-a', '--timeout=30', `${there}/`, 'rsync://rsync/tree/programs/')
  await program('rsync', '-a', '--timeout=30', 'rsync://rsync.demo/tree/programs/', `${back}/`)
  const expected = listTree(there)
  t.true(expected.length > TREE_FILES)
  t.deepEqual(listTree(back), expected)
})

test.serial('git: clone of a repository of 1,000 files', async t => {
  const [source, bare, clone] = ['source', 'bare.git', 'clone'].map(name => join(folder, name)) as [
    string,
    string,
    string
  ]
  makeTree(source, 1000, 'git')
  mkdirSync(bare)
  const commit = '-c user.name=test -c user.email=test@example.test commit -q -m tree'
  await program(
    'sh',
    '-ec',
    `git -C ${source} init -q; git -C ${source} add -A; git -C ${source} ${commit}
     git clone -q --bare ${source} ${bare}; git -C ${bare} update-server-info`
  )
  const { name, address } = await pod('nginx')
  await program('sh', '-c', `tar -C ${folder} -c bare.git | kubectl -n demo exec -i ${name} -- tar -C /data -x`)
  await program('git', 'clone', '-q', `http://${address}/files/bare.git`, clone)
  const contents = (directory: string): string[] => listTree(directory).filter(line => !line.startsWith('.git'))
  t.deepEqual(contents(clone), contents(source))
})

test.serial('UDP: datagrams of any size come back as they were', async t => {
  const sizes = [1, 512, 1472, 1473, 8000, 60_000]
  for (const host of [await serviceAddress('node-echo'), (await pod('node-echo')).address]) {
    const answers = (await peer('udp', host, 7000, ...sizes)) as { size: number; outcome: string }[]
    t.deepEqual(
      answers.map(({ size, outcome }) => `${size} ${outcome}`),
      sizes.map(size => `${size} echoed`),
      host
    )
  }
})

test.serial('ping: a pod that lives answers, an address that nobody has does not', async t => {
  const { address } = await pod('node-echo')
  t.is((await laptop('ping', ['-n', '-c', '3', '-i', '0.3', '-W', '3', address])).code, 0)
  const unassigned = address.replace(/\.\d+$/, '.251')
  const { code, stdout } = await laptop('ping', ['-n', '-c', '2', '-i', '0.3', '-W', '3', unassigned])
  t.is(code, 1, stdout)
  t.regex(stdout, / 0 received/)
})
